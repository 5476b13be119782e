"""What a command does to get at files that it must not read, or to leave something to be obeyed.

The defences: what others obey is a mount point, there or not (`sandbox.mountpoints`); what is
hidden is covered wherever it really lies; a mount point can't be removed, moved or linked away.
Each test was seen to fail without its defence.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.loops import until
from tests.support.runs import Netproxy

if TYPE_CHECKING:
    from tests.support.people import Person


@pytest.fixture
def netproxy(person: Person, base: Path) -> Netproxy:
    return Netproxy(person, base)


def run(netproxy: Netproxy, script: str, *options: str) -> str:
    done = netproxy.run("--ask", "never", *options, command=["sh", "-c", script])
    return done.out + done.err


def git(netproxy: Netproxy, *words: str, folder: Path | None = None) -> str:
    """Outside the sandbox, as the person whose folder it is."""
    done = subprocess.run(
        [*netproxy.person.prefix, "git", *words],
        cwd=folder or netproxy.workspace,
        env=netproxy.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


_PLANTS = """
for name in .vscode .claude .mcp.json .envrc netproxy.toml .git/hooks/pre-commit \
    .git/commondir .git/config.worktree; do
    echo planted > $name; mkdir -p $name/planted
    rm -rf $name; mv $name away; ln -s /etc $name; ln -sfn evil $name
done
echo planted > draft; mv -f draft .git/config; ln -f draft .git/config
cp -r .git evil; echo '[core] fsmonitor = touch MARK' >> evil/config
git config core.fsmonitor 'touch MARK'
mv .git .away; mkdir .git
mv .git/hooks .git/away
python3 -c 'import os; os.rename(".git", "away"); ' 2>/dev/null
rm -rf .git/hooks
echo end
"""


def test_nothing_that_others_obey_can_be_changed_or_made(netproxy: Netproxy) -> None:
    """Git, editors and agents outside would run what it says."""
    git(netproxy, "init", "-q", ".")
    git(netproxy, "config", "extensions.worktreeConfig", "true")
    before = (netproxy.workspace / ".git/config").read_text()
    assert "end\n" in run(netproxy, _PLANTS)
    assert (netproxy.workspace / ".git/config").read_text() == before
    left = {path.name for path in netproxy.workspace.iterdir()}
    assert left <= {".git", "draft", "evil", "away"}
    inside = {path.name for path in (netproxy.workspace / ".git").iterdir()}
    assert not inside & {"commondir", "config.worktree", "away"}
    assert (netproxy.workspace / ".git/hooks").is_dir()
    git(netproxy, "status")
    assert not list(netproxy.workspace.rglob("MARK"))


def test_where_hooks_are_looked_for_none_can_be_made(netproxy: Netproxy) -> None:
    """However the configuration comes to say it."""
    git(netproxy, "init", "-q", ".")
    git(netproxy, "config", "include.path", "../.gitconfig")
    git(netproxy, "config", "core.hooksPath", "my hooks;v1")
    shared = netproxy.workspace / ".gitconfig"
    git(netproxy, "config", "--file", str(shared), "core.hooksPath", "tools/git/hooks")
    git(netproxy, "config", "--file", str(shared), "include.path", "more")
    mine = netproxy.person.owns(netproxy.config / "git") / "config"  # $XDG_CONFIG_HOME
    git(netproxy, "config", "--file", str(mine), "core.hooksPath", "every/hook")
    said = run(
        netproxy,
        "for hooks in tools/git/hooks 'my hooks;v1' every/hook; do"
        ' mkdir -p $PWD/"$hooks"; echo x > "$hooks/pre-commit"; done;'
        " echo x > .gitconfig; echo x > more; rm -f more; mv tools away; git status; echo end",
    )
    assert "end\n" in said
    assert "No commits yet" in said, "and git works"
    assert "hooksPath" in shared.read_text()
    assert {path.name for path in netproxy.workspace.iterdir()} == {".git", ".gitconfig"}


def test_programs_that_git_is_told_to_run_stay_what_they_are(netproxy: Netproxy) -> None:
    """By a setting of the repository or of everybody's; in the next `git status`, mostly."""
    top, tools = netproxy.workspace, netproxy.person.owns(netproxy.workspace / "tools")
    git(netproxy, "init", "-q", ".")
    git(netproxy, "config", "core.fsmonitor", "tools/monitor")
    git(netproxy, "config", "filter.x.clean", "sh ./clean.sh")
    mine = netproxy.person.owns(netproxy.config / "git") / "config"
    git(netproxy, "config", "--file", str(mine), "alias.st", "!tools/status")
    git(netproxy, "config", "--file", str(mine), "diff.external", f"{top}/tools/diff")
    for path in (top / "clean.sh", tools / "status"):
        path.write_text("#!/bin/sh\n")
        os.chown(path, netproxy.person.uid, -1)
    (top / ".gitattributes").write_text("* filter=x\n")
    script = """
printf '#!/bin/sh\ntouch MARK\n' > draft; chmod +x draft; mv tools away; mkdir -p tools
for place in clean.sh tools/monitor tools/status tools/diff; do
    cp draft $place; mv -Tf draft $place; ln -fT draft $place; chmod +x $place
done
echo more > file; echo end
"""
    assert "end\n" in run(netproxy, script)
    for words in (("status",), ("add", "-A"), ("st",), ("diff", "--cached")):
        git(netproxy, *words)
    assert not (top / "MARK").exists()
    assert {path.name for path in tools.iterdir()} == {"status"}


def test_nor_where_a_workspace_has_what_git_obeys_everywhere(netproxy: Netproxy) -> None:
    """It is no repository itself; settings and hooks of all repositories lie in it."""
    top = netproxy.workspace
    netproxy.person.owns(top / "hooks")
    mine = netproxy.person.owns(netproxy.config / "git") / "config"
    git(netproxy, "config", "--file", str(mine), "include.path", f"{top}/shared")
    git(netproxy, "config", "--file", str(mine), "core.hooksPath", f"{top}/hooks")
    said = run(netproxy, "echo x > shared; echo x > hooks/pre-commit; rm -rf hooks; echo end")
    assert "end\n" in said
    assert list(top.iterdir()) == [top / "hooks"]
    assert not list((top / "hooks").iterdir())


def test_a_link_of_the_commands_to_hooks_is_refused(netproxy: Netproxy) -> None:
    """It could make a folder in its place: that is another one than what was closed."""
    git(netproxy, "init", "-q", ".")
    git(netproxy, "config", "core.hooksPath", "tools/hooks")
    netproxy.person.owns(netproxy.workspace / "vendor/hooks")
    (netproxy.workspace / "tools").symlink_to("vendor")
    said = run(netproxy, "rm tools; mkdir -p tools/hooks; echo x > tools/hooks/pre-commit")
    assert "tools is a link that the command could turn elsewhere" in said
    assert (netproxy.workspace / "tools").is_symlink()


def test_nor_in_a_bare_repository(netproxy: Netproxy) -> None:
    """Who pushes to it from outside runs them; who stands in it obeys its settings."""
    git(netproxy, "init", "-q", "--bare", ".")
    git(netproxy, "init", "-q", "--bare", "mirrors/one")
    before = (netproxy.workspace / "config").read_text()
    said = run(
        netproxy,
        "for place in . mirrors/one; do (cd $place; rm -rf hooks config; mv hooks away;"
        " mkdir hooks; echo planted > hooks/post-receive; echo planted > config;"
        " echo planted > commondir; git config core.fsmonitor x;"
        " git rev-parse --is-bare-repository); done; echo end",
    )
    assert said.count("true\n") == 2, said
    assert "end\n" in said
    for place in (netproxy.workspace, netproxy.workspace / "mirrors/one"):
        assert (place / "config").read_text() == before
        assert not (place / "hooks/post-receive").exists()
        assert not (place / "commondir").exists()


_BREAKS = """
printf '#!/bin/sh\ntouch MARK\n' > evil; chmod +x evil
for folder in . nested; do (
    cd $folder; rm -f .git/HEAD; mkdir -p objects refs; echo 'ref: refs/heads/main' > HEAD
    printf '[core]\nrepositoryformatversion = 0\nworktree = .\nfsmonitor = %s\n' $PWD/evil > config
    [ -e evil ] || cp ../evil .; rmdir refs commondir; mv refs a; mkdir -p refs; mv commondir b
) done; echo end
"""


def test_no_other_repository_takes_the_place_of_a_broken_one(netproxy: Netproxy) -> None:
    """Where `.git` is none any more git looks for a bare one in the same folder."""
    git(netproxy, "init", "-q", ".")
    git(netproxy, "init", "-q", "nested")
    said = run(netproxy, _BREAKS)
    assert "end\n" in said
    for folder in (netproxy.workspace, netproxy.workspace / "nested"):
        assert (folder / "HEAD").exists()
        assert "not a git repository" in git(netproxy, "status", folder=folder)
    assert not list(netproxy.workspace.rglob("MARK"))


def test_work_with_git_goes_on(netproxy: Netproxy) -> None:
    """And the places that are kept out are no part of it."""
    git(netproxy, "init", "-q", ".")
    said = run(
        netproxy,
        "git config --global user.name x; set -e; git status --short; echo a > a; git add .;"
        " git -c user.name=x -c user.email=x@x commit -qm one; git checkout -qb other;"
        " git diff HEAD; git log -1 --format= HEAD; git rebase -q HEAD;"
        " git status --short; git init -q fresh; git ls-files",
    )
    assert "a\n" in said
    assert said.count("a\n") == 1, said
    assert git(netproxy, "status", "--short") == "?? fresh/\n"


def test_so_it_does_in_a_further_work_tree(netproxy: Netproxy, base: Path) -> None:
    """Its repository is elsewhere; there, too, nothing that git obeys can be changed."""
    main = netproxy.person.owns(base / "main")
    git(netproxy, "init", "-q", ".", folder=main)
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    git(netproxy, *who, "commit", "-qm", "0", "--allow-empty", folder=main)
    git(netproxy, "worktree", "add", "-q", str(base / "workspace" / "side"), folder=main)
    side = netproxy.workspace / "side"
    before = (main / ".git/config").read_text()
    script = f"""
echo a > a && git add a && git -c user.name=x -c user.email=x@x commit -qm one && git log --oneline
cd {main}; echo x >> .git/config; echo x > .git/hooks/pre-commit; rm -f .git/commondir
echo {side} > .git/commondir; echo x > .git/worktrees/side/commondir
mv .git moved; echo x > planted
"""
    done = netproxy.run("--ask", "never", command=["sh", "-c", script], cwd=side)
    assert "one" in done.out, done.err
    assert (main / ".git/config").read_text() == before
    assert {path.name for path in main.iterdir()} == {".git"}
    assert not (main / ".git/commondir").exists()
    assert not (main / ".git/hooks/pre-commit").exists()
    assert git(netproxy, "status", "--short", folder=side) == ""


def test_hidden_files_stay_hidden_whatever_leads_to_them(netproxy: Netproxy) -> None:
    home = netproxy.person.owns(netproxy.person.home)
    keys = netproxy.person.owns(home / ".ssh")
    (keys / "id").write_text("secret-1")
    (home / ".netrc").write_text("secret-2")
    (netproxy.workspace / "sub").mkdir()
    (netproxy.workspace / "sub" / "prod.env").write_text("secret-3")
    for path in (netproxy.workspace / "sub", netproxy.workspace / "sub" / "prod.env"):
        os.chown(path, netproxy.person.uid, -1)
    (netproxy.workspace / "link").symlink_to(keys)
    script = f"""
cat link/id ~/.ssh/id ~/.netrc sub/prod.env
for root in /proc/self/root /proc/1/root /proc/$$/root /proc/self/cwd/../../../..; do
    cat $root{keys}/id $root{home}/.netrc
done
cat /proc/self/cwd/sub/prod.env
ln ~/.netrc hard; cat hard; cp -r ~/.ssh copy; cat copy/id
ln sub/prod.env hard2; cat hard2; mv sub/prod.env moved; cat moved
mv sub away; cat away/prod.env; rm -f sub/prod.env; dd if=sub/prod.env 2>/dev/null
chmod 777 ~/.ssh sub/prod.env; ls ~/.ssh; tar c ~/.ssh sub; echo end
"""
    said = run(netproxy, script, "--hide", "**/*.env")
    assert "end\n" in said
    assert "secret" not in said
    assert (netproxy.workspace / "sub" / "prod.env").read_text() == "secret-3"


@pytest.mark.parametrize("mode", [0o300, 0])
def test_a_glob_hides_a_folder_that_nobody_can_list(netproxy: Netproxy, mode: int) -> None:
    """What is in it can be opened by name, or when the command lets itself in."""
    known = netproxy.workspace / "blind/known"
    known.mkdir(parents=True)
    (known / "a.env").write_text("secret")
    for path in (known.parent, known, known / "a.env"):
        os.chown(path, netproxy.person.uid, -1)
    known.parent.chmod(mode)
    said = run(
        netproxy,
        "cat blind/known/a.env; chmod 700 blind; cat blind/known/a.env; echo end",
        "--hide",
        "**/*.env",
    )
    assert "end\n" in said
    assert "secret" not in said


def test_what_is_opened_by_name_is_all_that_is_open(netproxy: Netproxy) -> None:
    keys = netproxy.person.owns(netproxy.person.home / ".ssh")
    for name in ("known_hosts", "id"):
        (keys / name).write_text(f"is-{name}\n")
    script = "cat ~/.ssh/known_hosts ~/.ssh/id; ls ~/.ssh; echo x > ~/.ssh/config; echo end"
    said = run(netproxy, script, "--read", str(keys / "known_hosts"))
    assert "is-known_hosts\n" in said
    assert "is-id" not in said
    assert said.count("ermission denied") + said.count("o such file") + said.count("ead-only") == 3
    said = run(netproxy, script, "--read", str(keys))
    assert "is-id\n" in said
    assert "Read-only file system" in said


def test_a_file_that_is_read_only_can_not_be_written_by_another_name(netproxy: Netproxy) -> None:
    """link(2) does not cross a mount, and a mount point can't be renamed or removed."""
    kept = netproxy.workspace / "kept"
    kept.write_text("as it was\n")
    os.chown(kept, netproxy.person.uid, -1)
    netproxy.person.owns(netproxy.workspace / "dir")
    script = """
ln kept other; echo x > other; mv kept other; rm -f kept; echo x > kept; sed -i s/was/is/ kept
(exec 3<>kept; echo x >&3); truncate -s 0 /proc/self/root$PWD/kept; echo x > dir/new; mv dir dir2
echo x > later; mkdir later; echo end
"""
    assert "end\n" in run(netproxy, script, "--read", "kept", "--read", "dir", "--read", "later")
    assert kept.read_text() == "as it was\n"
    assert list((netproxy.workspace / "dir").iterdir()) == []
    assert not (netproxy.workspace / "later").exists()


def test_a_repository_that_the_command_made_is_told_of(netproxy: Netproxy) -> None:
    """It can be made, or no build would go on; whoever stands there had better know."""
    assert "the command made" not in run(netproxy, "git init -q sub")
    said = run(netproxy, "git init -q . && git config core.fsmonitor false")
    assert f"the command made {netproxy.workspace}/.git: its hooks and settings" in said
    assert "the command made" not in run(netproxy, "true")


def test_what_somebody_outside_replaced_meanwhile_is_told_of(netproxy: Netproxy) -> None:
    """The kernel takes the mount away, for everybody: nobody can keep that file closed."""
    git(netproxy, "init", "-q", ".")
    script = """
echo >> .git/config; touch started
while [ ! -e go-on ]; do sleep 0.02; done
echo >> .git/config && echo WROTE
"""
    with netproxy.begin("--ask", "never", command=["sh", "-c", script]) as process:
        asyncio.run(until((netproxy.workspace / "started").exists))
        git(netproxy, "config", "branch.x.remote", "origin")
        git(netproxy, "config", "user.name", "n")
        (netproxy.workspace / "go-on").touch()
        out, err = process.communicate()
    assert "WROTE" in out, "then there is nothing to tell"
    config = netproxy.workspace / ".git/config"
    assert f"{config} was put there from outside while the command ran" in err


def test_so_is_a_bare_one(netproxy: Netproxy) -> None:
    said = run(netproxy, "git init -q --bare .")
    assert f"the command made {netproxy.workspace}/HEAD: " in said


def test_nothing_is_left_behind(netproxy: Netproxy) -> None:
    git(netproxy, "init", "-q", ".")
    before = sorted(netproxy.workspace.rglob("*"))
    run(netproxy, "ls -a")
    assert sorted(netproxy.workspace.rglob("*")) == before


def test_a_profile_that_shows_almost_nothing(netproxy: Netproxy, base: Path) -> None:
    (netproxy.person.owns(netproxy.config / "netproxy") / "config.toml").write_text(
        '[sandbox]\nfiles = "bare"\n'
        '[sandbox.profiles.bare]\nread = [":minimal"]\nwrite = [":workspace", ":tmp"]\n'
    )
    (base / "other").write_text("elsewhere")
    said = run(
        netproxy,
        f"echo in > mine; cat mine; ls / ; cat {base}/other /etc/shadow; ls {netproxy.person.home};"
        " echo x > /x; mkdir /y; echo end",
    )
    assert "in\n" in said
    assert "end\n" in said
    assert "elsewhere" not in said
    assert {"srv", "boot"}.isdisjoint(said.split())
    assert said.count("Read-only file system") == 2


@pytest.mark.parametrize("files", ["read-only", "network-only"])
def test_the_built_in_profiles(netproxy: Netproxy, base: Path, files: str) -> None:
    open_place = netproxy.person.owns(base / "elsewhere")
    script = f"""
echo x > here; echo x > {open_place}/there; echo x > /tmp/{base.name} && echo tmp
echo x > /usr/planted; echo x > {netproxy.audit}/planted; ls {netproxy.audit}
mv {netproxy.audit} {netproxy.audit}.old; echo end
"""
    said = run(netproxy, script, "--files", files)
    is_open = files == "network-only"
    assert "end\n" in said
    assert "tmp\n" in said
    assert (netproxy.workspace / "here").exists() is is_open
    assert (open_place / "there").exists() is is_open
    assert ".jsonl" not in said
    assert not netproxy.audit.with_name("audit.old").exists()
    real = Path("/tmp", base.name)
    assert real.exists() is is_open
    real.unlink(missing_ok=True)
