"""A worker without a model, for the tests of the contest."""

import sys

from benchmarks.protocol import Done, Line, Message, Turnstile, main, serve, timed


def counting(line: Line, spec: Message) -> None:
    """Each step reads ``spec["tokens"]`` tokens, and says something on stdout, as libraries do."""

    def step() -> int:
        print("a library says something")  # noqa: T201 - it must not get between the answers
        return int(spec["tokens"])

    serve(line, timed(step, lambda: None))


def looping(line: Line, spec: Message) -> None:
    """A loop of somebody else's, with a turnstile between its steps."""
    stile = Turnstile(line, lambda: None)
    try:
        for number in range(1000):
            stile.passing(spec["tokens"] if number else 0)
    except Done:
        return


def dying(line: Line, spec: Message) -> None:
    """Ends in the middle of a round."""
    line.next()
    sys.exit("out of something")


if __name__ == "__main__":
    main({"counting": counting, "looping": looping, "dying": dying})
