"""What the README shows is what happens: its Python, its commands, and the test command of CI."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
VITRA = str(Path(sys.executable).with_name("vitra"))
SECONDS = 60

_KEY = re.compile(r"\b[0-9a-f]{64}\b")
_DHT = re.compile(r'"dht":"127\.0\.0\.1:\d+"')
_TIME = re.compile(r"\d+\.\d+ s\b")


def block(mark: str, language: str) -> str:
    """The fenced block behind a comment in the README."""
    found = re.search(rf"<!-- {mark} -->\n```{language}\n(.*?)^```$", README, re.S | re.M)
    assert found, mark
    return found[1]


def test_the_python_story_prints_what_the_readme_says() -> None:
    code = block("python story", "python")
    expected = re.search(r"It prints:\n\n```text\n(.*?)^```$", README, re.S | re.M)
    assert expected
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == (expected[1], "", 0)


class Story:
    """Plays the transcript of the README; keys stand for those that are made here."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keys: dict[str, str] = {}
        self.running: list[subprocess.Popen[str]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])

    def play(self, who: str, command: str, expected: list[str]) -> None:
        """Run one command and compare its standard output, line by line."""
        directory = self.directory / who
        directory.mkdir(exist_ok=True)
        words = self.here(command).split()
        assert words[0] == "vitra"
        if "serve" in words:
            process = subprocess.Popen(
                [VITRA, *words[1:]], cwd=directory, stdout=subprocess.PIPE, text=True
            )
            self.running.append(process)
            assert process.stdout is not None
            shown = [process.stdout.readline().rstrip("\n")]
        else:
            done = subprocess.run(
                [VITRA, *words[1:]],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            shown = done.stdout.splitlines()
        assert len(shown) == len(expected), (command, shown)
        for line, wanted in zip(shown, expected, strict=True):
            for readme, real in zip(_KEY.findall(wanted), _KEY.findall(line), strict=True):
                self.keys.setdefault(readme, real)
            assert steady(line) == steady(self.here(wanted))

    def here(self, text: str) -> str:
        """The text with this run's keys and port."""
        text = text.replace("7100", self.port)
        return _KEY.sub(lambda key: self.keys.get(key[0], key[0]), text)


def steady(line: str) -> str:
    """The line without what differs from run to run."""
    return _DHT.sub("D", _TIME.sub("T", line))


def test_the_command_line_story_is_true(tmp_path: Path) -> None:
    contract = re.search(r'CONTRACT = """\n(.*?)"""', README, re.S)
    assert contract
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "counter.js").write_text(contract[1])
    story = Story(tmp_path)
    try:
        for step in re.split(r"^(?=\w+\$ )", block("command line story", "console"), flags=re.M):
            if step:
                command, *expected = step.splitlines()
                who, _, command = command.partition("$ ")
                story.play(who, command, expected)
        network, node = story.running
        assert node.wait(SECONDS) == 0
        network.terminate()
        assert network.wait(SECONDS) == 0
    finally:
        for process in story.running:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("word", ["python3 -m venv", "pip install", "pytest"])
def test_ci_runs_the_test_command_of_the_readme(word: str) -> None:
    assert word in block("test command", "sh")
    assert "<!-- test command -->" in (ROOT / ".ci" / "run").read_text()
