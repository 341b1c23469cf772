// The Go drivers of the matrix. scripts/compatibility.ts builds and starts this, and reads what it prints.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

const featureTime = 30 * time.Second

// A client is one connection, one statement at a time. Parameters are $1…
type client interface {
	query(sql string, parameters ...any) [][]any
	end()
	// destroy ends the socket without a word to the server.
	destroy()
}

// A bench is one driver at one target. What a feature leaves open is closed after it.
type bench struct {
	ctx     context.Context
	address string
	connect func(b *bench, address string) client
	// fault gives the fields of a server's error.
	fault   func(err error) fault
	closers []func()
	// neighbours stay as long as the feature runs; see others.
	neighbours []client
}

type fault struct {
	Severity, SQLState, Message, Detail, Table, Constraint string
	Position                                               string
}

// A feature gives what was seen, which must be the same for both targets. It panics with an error when it fails.
type feature func(b *bench) any

type unsupported string

func (why unsupported) Error() string { return string(why) }

// without is a feature that the driver does not have.
func without(why string) feature {
	return func(*bench) any { panic(unsupported(why)) }
}

type driver struct {
	name, module string
	connect      func(b *bench, address string) client
	fault        func(err error) fault
	features     []map[string]feature
}

func main() {
	for _, one := range append(pgxDrivers(), pqDriver()) {
		all := map[string]feature{}
		for _, some := range one.features {
			maps.Copy(all, some)
		}
		for name, run := range all {
			for _, target := range []string{"direct", "proxy"} {
				result, detail := one.runOnce(target, run)
				report(map[string]string{
					"driver": one.name, "version": versionOf(one.module), "target": target,
					"feature": name, "result": result, "detail": detail,
				})
			}
		}
	}
}

func report(line map[string]string) {
	text, err := json.Marshal(line)
	check(err)
	fmt.Println(string(text))
}

func (d driver) runOnce(target string, run feature) (result, detail string) {
	ctx, cancel := context.WithTimeout(context.Background(), featureTime)
	defer cancel()
	address := os.Getenv("HATI_MATRIX_"+strings.ToUpper(target)) + "?sslmode=disable"
	b := &bench{ctx: ctx, address: address, connect: d.connect, fault: d.fault}
	defer b.close()
	defer func() {
		switch problem := recover().(type) {
		case nil:
		case unsupported:
			result, detail = "unsupported", problem.Error()
		case error:
			seen := d.fault(problem)
			result, detail = "fail", strings.TrimSpace(seen.SQLState+" "+problem.Error())
		default:
			result, detail = "fail", fmt.Sprint(problem)
		}
	}()
	return "ok", fmt.Sprintf("%+v", run(b))
}

func (b *bench) client() client {
	opened := b.connect(b, b.address)
	b.closers = append(b.closers, opened.end)
	return opened
}

func (b *bench) close() {
	for _, closer := range b.closers {
		closer()
	}
}

// fails gives the error that the work ends with.
func (b *bench) fails(work func()) (seen fault) {
	defer func() {
		switch problem := recover().(type) {
		case nil:
			panic(errors.New("it did not fail"))
		case error:
			seen = b.fault(problem)
		default:
			panic(problem)
		}
	}()
	work()
	return fault{}
}

// table makes a fresh table. Its name is the same for both targets, which run one after the other.
func (b *bench) table(name, columns string) string {
	whole := "go_matrix_" + name
	made := b.client()
	made.query("DROP TABLE IF EXISTS " + whole)
	made.query("CREATE TABLE " + whole + " (" + columns + ")")
	return whole
}

// others lets neighbours run transactions with settings of their own: where engine connections are shared, the client
// under test has another one afterwards, or would find there what they left.
func (b *bench) others() {
	if b.neighbours == nil {
		b.neighbours = []client{b.client(), b.client()}
	}
	together(len(b.neighbours), func(index int) {
		one := b.neighbours[index]
		one.query("SET work_mem = '9MB'")
		one.query("SET matrix.own = 'a neighbour''s'")
		one.query("BEGIN")
		one.query("SELECT $1::text", "a neighbour")
		one.query("SELECT pg_sleep(0.01)")
		one.query("COMMIT")
	})
}

// together runs the work at once and panics with the first error of any.
func together(count int, work func(index int)) {
	problems := make(chan any, count)
	for index := range count {
		go func() {
			defer func() { problems <- recover() }()
			work(index)
		}()
	}
	var first any
	for range count {
		if problem := <-problems; first == nil {
			first = problem
		}
	}
	if first != nil {
		panic(first)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func expectThat(holds bool, what string) {
	if !holds {
		panic(errors.New("not so: " + what))
	}
}

func versionOf(module string) string {
	build, _ := debug.ReadBuildInfo()
	for _, one := range build.Deps {
		if one.Path == module {
			return strings.TrimPrefix(one.Version, "v")
		}
	}
	return "?"
}
