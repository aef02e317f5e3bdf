"""Running an app to its end, configured by nothing but its arguments and the environment it is given."""

import subprocess

from kit.environments import clean_environment, program


def run_to_end(app, *arguments, environment="clients", **settings):
    """`app` is a path. Spans that could not be exported count as a failure; logs and metrics nobody takes."""
    done = subprocess.run(
        [program(environment, "python"), str(app), *arguments],
        env=clean_environment(**settings),
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to export span" not in done.stderr, done.stderr
