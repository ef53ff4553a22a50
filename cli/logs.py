"""Where a command writes what rooms log: to standard error, so that its output stays its own."""

import logging
import sys

import structlog


def log_to_stderr() -> None:
    """Send warnings and worse to standard error; a traceback shows no local variables.

    Those may hold keys.
    """
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        # Asked for at each line: whoever runs a command inside a program may have replaced it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
