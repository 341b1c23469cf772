"""What goes to the server, without one."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.pq import TransactionStatus

from hatidata_agent import statements
from hatidata_agent.errors import QueryError
from hatidata_agent.labels import UNLABELLED, ChainSteps, SessionLabels, request_label
from hatidata_agent.memory import search_memory, set_state
from hatidata_agent.statements import Operation, Outcome, Statement

IDLE = TransactionStatus.IDLE


def text(statement: Statement) -> str:
    return statement.text.decode() if isinstance(statement.text, bytes) else statement.text.as_string()


def sent(operation: Operation[Any], *rows: dict[str, Any]) -> list[str]:
    """The texts of an operation whose every statement succeeds with the same rows."""
    texts = []
    try:
        statement = next(operation)
        while True:
            texts.append(' '.join(text(statement).split()))
            statement = operation.send(Outcome(list(rows), len(rows)))
    except StopIteration:
        return texts


def test_context_calls_are_constants() -> None:
    assert sent(statements.get_context("t'; DROP TABLE t --", '100% it\\', 3)) == [
        "SELECT * FROM hatidata_context('t''; DROP TABLE t --', E'100% it\\\\', 3)"
    ]
    assert sent(statements.get_rag_context('t', 'c', [1, 2.5, -1e-9], 4)) == [
        "SELECT * FROM hatidata_rag_context('t', 'c', [1.0, 2.5, -1e-09], 4)"
    ]


@pytest.mark.parametrize('component', [float('nan'), float('inf'), '1); DROP TABLE t'])
def test_a_vector_holds_finite_numbers(component: Any) -> None:
    with pytest.raises(ValueError, match=r'cannot contain|could not convert'):
        sent(statements.get_rag_context('t', 'c', [component], 1))


@pytest.mark.parametrize('top_k', ['1; DROP TABLE t', 1.5, None])
def test_top_k_is_a_whole_number(top_k: Any) -> None:
    for operation in (
        statements.get_context('t', 'q', top_k),
        statements.get_rag_context('t', 'c', [1], top_k),
        search_memory('a', 'q', top_k, None, None),
    ):
        with pytest.raises(TypeError):
            sent(operation)


def test_nothing_is_cut_off_at_a_nul() -> None:
    with pytest.raises(ValueError, match='NUL'):
        sent(statements.query('SELECT 1\0; SELECT 2'))


def test_labels_are_emptied_before_a_statement_without() -> None:
    labels = SessionLabels()

    def run(wanted: Any, status: TransactionStatus = IDLE) -> list[str]:
        return sent(labels.around(statements.query('SELECT 1'), wanted, status))

    assert run(UNLABELLED) == ['SELECT 1']
    assert run(request_label("it's")) == ["SET \"hatidata_request_id\" = 'it''s'", 'SELECT 1']
    assert run(UNLABELLED) == ['SET "hatidata_request_id" = \'\'', 'SELECT 1']
    assert run(UNLABELLED) == ['SELECT 1']
    run(request_label('r'))
    assert run(UNLABELLED, TransactionStatus.INERROR) == ['SELECT 1']
    assert run(UNLABELLED, TransactionStatus.INTRANS) == ['SET "hatidata_request_id" = \'\'', 'SELECT 1']
    run(request_label('r'))
    labels.forget()
    assert run(UNLABELLED) == ['SELECT 1']


def test_a_label_that_was_not_set_is_not_emptied() -> None:
    labels = SessionLabels()
    steps = labels.around(statements.query('SELECT 1'), request_label('r'), IDLE)
    next(steps)
    with pytest.raises(QueryError):
        steps.throw(QueryError('refused'))
    assert sent(labels.around(statements.query('SELECT 1'), UNLABELLED, IDLE)) == ['SELECT 1']


def test_steps_count_from_zero_and_go_on_from_a_given_number() -> None:
    steps = ChainSteps('req', None)
    assert [steps.take(step)['hatidata_reasoning_step'] for step in (None, None, 7, None)] == ['0', '1', '7', '8']
    assert 'hatidata_parent_request_id' not in steps.take(None)
    assert ChainSteps('req', 'parent').take(None)['hatidata_parent_request_id'] == 'parent'
    generated = ChainSteps(None, None).request_id
    assert generated.startswith('req-')
    assert len(generated) == len('req-') + 12


def test_reading_memory_creates_nothing() -> None:
    texts = sent(search_memory('a', 'words', 10, None, None), {'present': False})
    assert [text.split()[0] for text in texts] == ['SELECT']


def test_writing_state_creates_only_what_is_missing() -> None:
    verbs = [text.split()[0] for text in sent(set_state('a', 'k', 1), {'present': True})]
    assert verbs == ['SELECT', 'INSERT']
    verbs = [text.split()[0] for text in sent(set_state('a', 'k', 1), {'present': False})]
    assert verbs == ['SELECT', 'CREATE', 'CREATE', 'CREATE', 'INSERT']
