"""The operator's commands, without a server: keys that are made, listed and revoked, and an audit that tells."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text
from tests.server.conftest import Database

from sorairo.cli.moderating import MODERATING
from sorairo.cli.operating import COMMANDS, settings_of
from sorairo.server.keys import SCOPES, authenticate, create_key, open_account, read_pepper, revoke_key
from sorairo.server.serving import Workers, first_key
from sorairo.server.tiers import Tiers, load_tiers

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, empty_library: Path) -> Run:
    """Runs a command, on an installation that was started once, if no other is meant."""
    (tmp_path / "own").mkdir()
    shutil.copy(empty_library, tmp_path / "own" / "library.sqlite")
    group = click.Group("sorairo", commands={command.name or "": command for command in (*COMMANDS, *MODERATING)})

    def invoke(*arguments: str) -> Result:
        where = [] if "--folder" in arguments else ["--folder", str(tmp_path / "own")]
        return CliRunner().invoke(group, [*arguments, *where], standalone_mode=False)

    return invoke


@pytest.mark.parametrize(
    "command",
    ["keys create alice", "keys list", "keys revoke 1", "accounts list", "accounts tier alice pro", "tiers", "audit",
     "worker", "reports", "takedown video_1 --reason x", "suspend alice --days 1", "incident video_1 -o a.zip",
     "keys list --database postgresql://127.0.0.1:1/x"],
)  # fmt: skip
def test_a_folder_without_an_installation_is_told(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "files").mkdir()
    error = run(*command.split(), "--folder", str(tmp_path / "onw")).exception
    assert isinstance(error, ValueError)
    told = f"folder is '{tmp_path}/onw'; there is no installation there, which `sorairo serve` makes"
    assert str(error) == f"{told}; the nearest is '{tmp_path}/own'"
    assert not (tmp_path / "onw").exists()
    shutil.rmtree(tmp_path / "own")
    assert str(run(*command.split(), "--folder", str(tmp_path / "onw")).exception) == told


def test_a_worker_elsewhere_makes_its_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, database = ["--folder", str(tmp_path / "there")], ["--database", "nonsense"]
    monkeypatch.setattr("sorairo.server.worker.Worker", Mock())
    assert run("worker", *there, *database).exit_code == 0
    assert "no installation" in str(run("keys", "list", *there, *database).exception), "keys need the pepper"
    (tmp_path / "there" / "pepper").touch()
    assert "database begins" in str(run("keys", "list", *there, *database).exception)


def test_files_that_cannot_be_kept_are_told_at_the_start(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    result = run("serve", "--workers", "0", "--port", "0", "--files", str(tmp_path / "taken"))
    assert isinstance(result.exception, OSError)
    assert str(result.exception) == f"files cannot be kept in '{tmp_path}/taken': File exists"
    assert result.stdout == "", "no address, and no key that is shown once"


def test_loading_the_commands_loads_nothing_heavy() -> None:
    heavy = "fastapi", "sqlalchemy", "dbos", "torch", "numpy", "uvicorn"
    program = f"import sorairo.cli.operating, sys; assert not {{*sys.modules}} & {{*{heavy!r}}}"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_web_process_loads_no_torch() -> None:
    program = "import sorairo.server.serving, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself(command: click.Command) -> None:
    commands = command.commands.values() if isinstance(command, click.Group) else [command]
    for each in commands:
        assert each.help
        assert all(option.help for option in each.params if isinstance(option, click.Option))


def test_a_key_is_made_listed_and_revoked(run: Run) -> None:
    key = run("keys", "create", "alice", "--tier", "plus", "--name", "laptop", "--days", "1").stdout.strip()
    key_id = key.split("_")[1]
    (line,) = run("keys", "list").stdout.splitlines()
    assert line == f"{key_id}  alice  plus  holds  never  videos.read videos.write webhooks  laptop"
    assert run("keys", "revoke", key_id).exit_code == 0
    assert "  over  " in run("keys", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["keys", "create", "alice", "--tier", "gold"], "tier is 'gold'; the nearest is"),
        (["keys", "create", "alice", "--scope", "al"], "scope is 'al'; the nearest is 'all'"),
        (["keys", "revoke", "none"], "key is 'none'; the nearest is 'none'"),
        (["accounts", "tier", "alice", "gold"], "tier is 'gold'; the nearest is"),
        (["accounts", "tier", "alice", "pro"], "account is 'alice'; the nearest is"),
        (["keys", "create", " "], "account is ' '; a name has 1 to 80 characters"),
        (["keys", "create", "a\nb"], "account is 'a\\nb'; a name has"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(run: Run, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, ValueError)
    assert words in str(result.exception)
    assert run("keys", "list").stdout == ""


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        (
            "mysql://me:secret@host/x",
            ValueError,
            "database begins with 'mysql'; it is an address such as postgresql://",
        ),
        ("nonsense", ValueError, "database begins with 'nonsense'"),
        ("postgresql://me:secret@127.0.0.1:1/x", OSError, "cannot be opened: connection failed"),
        ("sqlite:///{folder}/none/x.sqlite", OSError, "cannot be opened: unable to open database file"),
        ("sqlite:///{folder}/damaged", OSError, "cannot be opened: file is not a database"),
        ("sqlite:///{folder}/later", OSError, "cannot be opened: Can't locate revision identified by 'later'"),
    ],
)
def test_a_database_that_cannot_be_opened_is_told_in_a_line(
    run: Run, tmp_path: Path, url: str, kind: type[Exception], words: str
) -> None:
    (tmp_path / "damaged").write_text("no database at all" * 100)
    later = create_engine(f"sqlite:///{tmp_path / 'later'}")
    with later.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('later')"))
    later.dispose()
    error = run("keys", "list", "--database", url.format(folder=tmp_path)).exception
    assert isinstance(error, kind)
    assert words in str(error)
    assert "secret" not in str(error)
    assert "\n" not in str(error)


def test_an_address_that_cannot_be_opened_is_named(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        error = run("serve", "--workers", "0", "--port", number).exception
    assert isinstance(error, OSError)
    assert str(error) == f"127.0.0.1:{number} cannot be opened: Address already in use"
    assert "none.invalid:0 cannot be opened" in str(run("serve", "--host", "none.invalid", "--port", "0").exception)


@pytest.mark.parametrize("wrong", ["--port=65536", "--workers=-1", "--max-attempts=0"])
def test_a_number_that_cannot_be_is_refused(run: Run, wrong: str) -> None:
    assert isinstance(run("serve", wrong).exception, click.BadParameter)


def test_an_account_gets_another_tier(run: Run) -> None:
    run("keys", "create", "alice")
    run("keys", "create", "bob", "--tier", "pro")
    assert run("accounts", "tier", "alice", "plus").exit_code == 0
    lines = [line.split("  ") for line in run("accounts", "list").stdout.splitlines()]
    assert [line[1:] for line in lines] == [["plus", "0", "0", "alice"], ["pro", "0", "0", "bob"]]
    assert "account.tier" in run("audit").stdout


def test_the_tiers_are_printed_as_they_are_written(run: Run, tmp_path: Path) -> None:
    assert load_tiers(tmp_path) == Tiers()
    printed = run("tiers").stdout.replace("concurrent = 1\n", "concurrent = 4\n")
    (tmp_path / "tiers.toml").write_text(printed)
    assert load_tiers(tmp_path) == replace(Tiers(), free=replace(Tiers().free, concurrent=4))


def test_the_audit_tells_and_notices(run: Run, tmp_path: Path) -> None:
    run("keys", "create", "alice")
    result = run("audit")
    assert [line.split("  ")[3] for line in result.stdout.splitlines()] == ["account.tier", "key.created"]
    assert result.return_value == 0
    engine = create_engine(f"sqlite:///{tmp_path / 'own' / 'library.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_UPDATE"))
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE position = 1"))
    engine.dispose()
    result = run("audit")
    assert result.return_value == 1
    assert "line 1 does not follow" in result.stderr


def test_the_folder_is_nobody_elses(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "own", starts=True)
    assert settings.folder.stat().st_mode & 0o077 == 0
    assert settings.library_url == f"sqlite:///{tmp_path}/own/library.sqlite"
    assert settings_of(tmp_path, starts=True, database_url="postgresql://a/b").jobs_url == "postgresql://a/b"


def test_the_first_key_is_shown_once(tmp_path: Path, database: Database) -> None:
    """Whoever else had a key before; and not again when it is revoked, which somebody may have meant."""
    settings = settings_of(tmp_path, starts=True)
    pepper = read_pepper(settings.pepper_file)
    with database.writing.begin() as session:
        create_key(session, pepper, open_account(session, "alice"), "", SCOPES[:-1])
    key = first_key(settings, database)
    assert key
    assert first_key(settings, database) is None
    with database.writing.begin() as session:
        caller = authenticate(session, pepper, key)
        assert caller
        revoke_key(session, caller.key_id)
    assert (caller.tier, "admin" in caller.scopes) == ("operator", True)
    assert first_key(settings, database) is None


def test_an_operator_always_gets_another_admin_key(run: Run) -> None:
    run("keys", "create", "operator", "--tier", "operator", "--scope", "all")
    (line,) = run("keys", "list").stdout.splitlines()
    assert line.split("  ")[1:] == ["operator", "operator", "holds", "never", " ".join(SCOPES)]


def test_a_worker_that_cannot_live_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, starts=True, database_url="nonsense://")
    with Workers(settings, 2):
        pass
