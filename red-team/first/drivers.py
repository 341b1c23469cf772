import sys, threading, asyncio, time, traceback
port=int(sys.argv[1]); key=sys.argv[2]
dsn=f"host=127.0.0.1 port={port} user=agent password={key} dbname=hatidata sslmode=disable"
def t(name, fn):
    try: print(name, '->', fn(), flush=True)
    except Exception as e: print(name, 'FAILED', type(e).__name__, str(e).strip()[:300], flush=True)
import psycopg2, psycopg, asyncpg
def p2():
    errs=[]
    def w(i):
        try:
            c=psycopg2.connect(dsn, application_name=f'w{i}')
            for r in range(40):
                cur=c.cursor(); cur.execute("SET LOCAL my.x='%d'"%i); cur.execute("select current_setting('my.x'), %s", (r,)); v=cur.fetchone()
                assert v==(str(i),r),v
                if r%5==0:
                    try: cur.execute('select 1/0')
                    except Exception: pass
                    c.rollback()
                else: c.commit()
            c.close()
        except Exception as e: errs.append(repr(e))
    ts=[threading.Thread(target=w,args=(i,)) for i in range(6)]; [x.start() for x in ts]; [x.join() for x in ts]; return errs[:3]
t('psycopg2 threads', p2)
def p3(threshold):
    def go():
        errs=[]
        def w(i):
            try:
                c=psycopg.connect(dsn, application_name=f'w{i}', autocommit=True); c.prepare_threshold=threshold; c.prepared_max=3
                for r in range(60):
                    assert c.execute("select %s::int, 'q%d'"%('%s', r%6), (r,)).fetchone()[0]==r
                    if r%10==0:
                        try:
                            with c.transaction(): c.execute('select %s::int/0',(1,))
                        except psycopg.errors.DivisionByZero: pass
                    if r%15==0:
                        with c.pipeline():
                            xs=[c.execute('select %s::int + %s::int',(r,k)) for k in range(8)]
                            assert [x.fetchone()[0] for x in xs]==[r+k for k in range(8)]
                c.close()
            except Exception as e: errs.append(repr(e)[:300])
        ts=[threading.Thread(target=w,args=(i,)) for i in range(6)]; [x.start() for x in ts]; [x.join() for x in ts]; return errs[:3]
    return go
t('psycopg3 threshold 0', p3(0)); t('psycopg3 threshold 2', p3(2))
def p3ddl():
    c=psycopg.connect(dsn, autocommit=True); c.prepare_threshold=0
    c.execute('drop table if exists dd'); c.execute('create table dd (a int)'); c.execute('select * from dd').fetchall()
    c.execute('alter table dd add column b int')
    d=psycopg.connect(dsn, autocommit=True); d.prepare_threshold=0
    out=[]
    for x in (d,c,psycopg.connect(dsn, autocommit=True)):
        x.prepare_threshold=0
        try: x.execute('select * from dd').fetchall(); out.append('ok')
        except Exception as e: out.append(str(e))
    return out
t('psycopg3 after ALTER TABLE (fresh connections)', p3ddl)
def p3deall():
    c=psycopg.connect(dsn, autocommit=True); c.prepare_threshold=0
    c.execute('select 1+%s::int',(1,)); c.execute('DEALLOCATE ALL'); 
    return c.execute('select 1+%s::int',(1,)).fetchone()
t('psycopg3 DEALLOCATE ALL', p3deall)
def p3failed():
    c=psycopg.connect(dsn); c.prepare_threshold=0
    d=psycopg.connect(dsn); d.prepare_threshold=0
    for x in (c,d):
        x.execute('select 1'); 
        with x.cursor() as cur: cur.execute('ROLLBACK', prepare=True)
        try: x.execute('select 1/0')
        except Exception: pass
        x.execute('ROLLBACK', prepare=True)
        x.rollback()
    return 'ok'
t('psycopg3 prepared ROLLBACK in a failed transaction', p3failed)
async def apg():
    pool=await asyncpg.create_pool(host='127.0.0.1',port=port,user='agent',password=key,database='hatidata',ssl=False,min_size=5,max_size=5)
    errs=[]
    async def w(i):
        try:
            for r in range(40):
                async with pool.acquire() as c:
                    await c.execute("SET my.k = '%d'"%i)
                    assert await c.fetchval("select current_setting('my.k')")==str(i)
                    assert await c.fetchval('select $1::int + %d'%(r%5), r)==r+r%5
                    async with c.transaction():
                        n=0
                        async for _ in c.cursor('select generate_series(1,120)', prefetch=50): n+=1
                        assert n==120
        except Exception as e: errs.append(repr(e)[:300])
    await asyncio.gather(*[w(i) for i in range(10)])
    async with pool.acquire() as c:
        await c.execute('drop table if exists ad; create table ad (a int)'); await c.fetch('select * from ad'); await c.execute('alter table ad add column b int')
    for _ in range(3):
        async with pool.acquire() as c:
            try: await c.fetch('select * from ad'); errs.append('ddl ok')
            except Exception as e: errs.append('ddl: '+repr(e)[:150])
    await pool.close(); return errs[:6]
t('asyncpg pool', lambda: asyncio.run(apg()))
def copy():
    c=psycopg.connect(dsn); c.execute('create table if not exists cc (a int)'); c.commit()
    with c.cursor().copy('COPY cc FROM STDIN') as cp:
        for i in range(1000): cp.write_row((i,))
    c.commit(); return c.execute('select count(*) from cc').fetchone()
t('psycopg3 copy', copy)
