"""python -m store: see `python -m store --help`.

Written so that an old Python can still read it, and then says which one is needed.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it may be started by an older one
    sys.stderr.write("The store needs Python 3.11 or newer; this is an older one.\n")
    raise SystemExit(2)

if __name__ == "__main__":
    try:
        from store.cli.main import main

        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # before or after what the command itself can answer
        raise SystemExit(130)  # noqa: B904 - "from None" is no syntax of the oldest Python
