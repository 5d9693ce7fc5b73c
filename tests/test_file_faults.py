"""Model files while everything goes wrong: kills, full disks, damage, other writers.

What kills or forks runs in a process of its own that knows nothing of TensorFlow.
"""

import contextlib
import errno
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_attrec import MarkovRecommender, _model_state, load_model, save_model
from sklearn_attrec.exceptions import ModelCorruptError
from sklearn_attrec.persistence import inspect_model
from sklearn_attrec.utils import _files, _tensor_file
from sklearn_attrec.utils._files import UNFINISHED, replacing

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*/*.attrec"))
SMALLEST = min(GOLDEN, key=lambda path: path.stat().st_size)

pytestmark = pytest.mark.timeout(3_000)  # a soak takes long

on_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX alone can do this")
on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="Linux alone tells, in /proc"
)

# Runs before each script. `replaced` are two models and the bytes of their files.
PRELUDE = """
import json, os, random, signal, sys, time
from pathlib import Path
from sklearn_attrec import load_model, save_model
from sklearn_attrec.exceptions import ModelFileError
from sklearn_attrec.utils import _files, _tensor_file

folder, *sources = map(Path, sys.argv[1:])
path = folder / "model.attrec"
contents = [source.read_bytes() for source in sources]
models = [load_model(source) for source in sources]

def unfinished():
    return [file for file in folder.iterdir() if file.name.endswith(".attrec-tmp")]

def child(function, *arguments):
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        function(*arguments)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)

def report(**found):
    print(json.dumps(found))
"""


def run(script, folder, *sources, **environment):
    """Run a script in a fresh Python and return what it reports."""
    answer = subprocess.run(
        [sys.executable, "-c", PRELUDE + script, folder, *sources],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=2_900,
    )
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr
    return json.loads(answer.stdout)


def walks(n_users, n_items, seed):
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), 10)
    item = rng.integers(n_items, size=len(user))
    return pd.DataFrame({"user_id": user, "item_id": item})


@pytest.fixture(scope="module")
def two_files(tmp_path_factory):
    """Files of two models, of about 150 and 300 kB."""
    folder = tmp_path_factory.mktemp("two")
    for name, n_users in (("first", 1_000), ("second", 2_000)):
        model = MarkovRecommender().fit(walks(n_users, 500, seed=n_users))
        save_model(model, folder / name)
    return folder / "first", folder / "second"


@pytest.fixture(scope="module")
def two_small_files():
    """Files of two models, of a few kB."""
    return GOLDEN[0], SMALLEST


@pytest.fixture
def model():
    return load_model(SMALLEST)


@pytest.fixture
def old(tmp_path):
    """A model file that is to be replaced."""
    path = tmp_path / "model.attrec"
    path.write_bytes(GOLDEN[0].read_bytes())
    return path


def unfinished(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(UNFINISHED)]


# Kills ----------------------------------------------------------------------------

KILL = """
def save_forever():
    while True:
        for model in models[::-1]:
            save_model(model, path)

flush = os.fsync

def fsync(descriptor):
    time.sleep(0.001)  # a disk takes that long, a folder in memory no time
    flush(descriptor)

os.fsync = fsync
random.seed(0)
started = time.monotonic()
for _ in range(5):
    save_model(models[0], path)
pace = (time.monotonic() - started) / 5
found = {"torn": 0, "unreadable": 0, "left": 0, "mid_write": 0, "second": 0}
for _ in range(int(os.environ["KILLS"])):
    writer = child(save_forever)
    time.sleep(random.uniform(0, 4 * pace))
    os.kill(writer, signal.SIGKILL)
    _, status = os.waitpid(writer, 0)
    if not os.WIFSIGNALED(status):
        sys.exit("the writer ended by itself")
    found["mid_write"] += bool(unfinished())
    content = path.read_bytes()
    found["torn"] += content not in contents
    found["second"] += content == contents[1]
    try:
        load_model(path)
    except ModelFileError:
        found["unreadable"] += 1
    save_model(models[0], path)
    found["left"] += len(unfinished())
report(**found)
"""


@on_posix
@pytest.mark.case("F1")
def test_killed_writers_leave_a_whole_file(tmp_path, two_files, times, record_property):
    n_kills = times(300, 5_000)
    found = run(KILL, tmp_path, *two_files, KILLS=str(n_kills))
    record_property("kills while saving, every file whole", n_kills)
    record_property("kills while saving, in the middle of writing", found["mid_write"])
    assert (found["torn"], found["unreadable"], found["left"]) == (0, 0, 0)
    # It would prove little if few kills met a file half written, or a new one.
    assert found["mid_write"] > n_kills / 50
    assert found["second"] > n_kills / 50


# A crash is an end at once: nothing that Python holds is written, nothing cleaned up.
CRASH = """
watched = {_files.__file__, _tensor_file.__file__}

def save_and_crash(step):
    left = step
    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename not in watched:
            return None
        left -= event == "line"
        if left < 0:
            os._exit(137)
        return trace
    sys.settrace(trace)
    save_model(models[1], path)
    sys.settrace(None)

states = {None: "none", contents[0]: "old", contents[1]: "new"}

def crash_everywhere(there):
    seen, step, status = [], 0, None
    while status != 0:
        for file in folder.iterdir():
            file.unlink()
        if there:
            path.write_bytes(contents[0])
        _, status = os.waitpid(child(save_and_crash, step), 0)
        if os.waitstatus_to_exitcode(status) not in (0, 137):
            sys.exit("the writer failed")
        content = path.read_bytes() if path.exists() else None
        seen.append(states.get(content, "torn"))
        left = len(unfinished())
        if left > 1:
            sys.exit("more than one unfinished file")
        if left:
            save_model(models[0], path)
            if unfinished():
                sys.exit("the next save does not tidy up")
        step += 1
    return seen

report(replacing=crash_everywhere(True), first=crash_everywhere(False))
"""


@on_posix
@pytest.mark.case("F2")
def test_a_crash_at_every_line_leaves_a_whole_file(two_small_files, record_property):
    memory = Path("/dev/shm")  # noqa: S108, it spares the disk 300 flushes
    where = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        found = run(CRASH, folder, *two_small_files)
    n_crashes = len(found["replacing"]) + len(found["first"]) - 2  # two went well
    record_property("crashes while saving, one at each line", n_crashes)
    for before, seen in (("old", found["replacing"]), ("none", found["first"])):
        assert len(seen) > 100
        n_after = seen.count("new")
        assert 1 < n_after < 20  # the lines after the new file took the old one's place
        assert seen == [before] * (len(seen) - n_after) + ["new"] * n_after


@pytest.mark.case("F2", "F12")
def test_a_reader_at_any_line_sees_a_whole_file(model, old):
    before, seen = old.read_bytes(), []
    watched = {_files.__file__, _tensor_file.__file__}

    def read(frame, event, argument):
        if frame.f_code.co_filename not in watched:
            return None
        seen.append(old.read_bytes())
        return read

    tracer = sys.gettrace()
    sys.settrace(read)
    try:
        save_model(model, old)
    finally:
        sys.settrace(tracer)
    after = old.read_bytes()
    assert set(seen) == {before, after}
    assert seen == [before] * seen.count(before) + [after] * seen.count(after)


@on_posix
@pytest.mark.case("F2")
@pytest.mark.parametrize("there", [True, False])
def test_what_replaces_is_on_the_disk_first(model, old, there, monkeypatch):
    path = old if there else old.with_name("new.attrec")
    steps = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor):
        found = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(found.st_mode)
        steps.append("flush folder" if is_folder else f"flush {found.st_size} bytes")
        fsync(descriptor)

    def watched_replace(self, target):
        steps.append(f"replace {Path(target).name}")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(Path, "replace", watched_replace)
        save_model(model, path)
    size = path.stat().st_size
    assert steps == [f"flush {size} bytes", f"replace {path.name}", "flush folder"]


# Full disks and what else fails ---------------------------------------------------

TOO_LARGE = """
import resource

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
refused = []
for there in (True, False):
    for limit in range(0, len(contents[1]) + 64, 61):
        for file in folder.iterdir():
            file.unlink()
        if there:
            path.write_bytes(contents[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            save_model(models[1], path)
        except OSError as error:
            if (error.filename, "File too large") != (str(path), error.strerror):
                sys.exit(f"{error!r} does not say which file is too large")
            refused.append(limit)
        else:
            if limit < len(contents[1]):
                sys.exit("nothing was refused")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        expected = contents[1] if limit >= len(contents[1]) else contents[0]
        if [file.name for file in folder.iterdir()] != (
            [path.name] if there or expected is contents[1] else []
        ):
            sys.exit("something was left behind")
        if path.exists() and path.read_bytes() != expected:
            sys.exit("the file is another one")
report(refused=len(refused))
"""


@on_posix
@pytest.mark.case("F5")
def test_a_disk_that_is_full_at_any_byte(tmp_path, two_small_files, record_property):
    found = run(TOO_LARGE, tmp_path, *two_small_files)
    record_property("disks full while saving, old file kept", found["refused"])
    assert found["refused"] > 2 * SMALLEST.stat().st_size // 61 - 2


class Failing:
    """A file that fails at its nth write."""

    def __init__(self, file, left, error):
        self.file, self.left, self.error = file, left, error

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, data):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.file.write(data)


def fail_at_write(n):
    def install(patch, error):
        fdopen = os.fdopen
        patch.setattr(os, "fdopen", lambda *args: Failing(fdopen(*args), n, error))

    return install


def fail_at(owner, name):
    def install(patch, error):
        def fails(*args, **kwargs):
            raise error

        patch.setattr(owner, name, fails)

    return install


STEPS = {f"write {n}": fail_at_write(n) for n in range(5)}
STEPS |= {"fsync": fail_at(os, "fsync"), "replace": fail_at(Path, "replace")}
STEPS |= {"create": fail_at(os, "open"), "fchmod": fail_at(os, "fchmod")}


@on_posix
@pytest.mark.case("F5", "F6")
@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES"])
@pytest.mark.parametrize("step", STEPS)
def test_what_fails_is_told_and_leaves_the_old_file(
    step, code, model, old, monkeypatch
):
    before = old.read_bytes()
    code = getattr(errno, code)
    with monkeypatch.context() as patch:
        STEPS[step](patch, OSError(code, os.strerror(code)))
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            save_model(model, old)
    assert caught.value.errno == code
    assert caught.value.filename == str(old)
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == [old.name]


@on_posix
@pytest.mark.case("F5", "F19")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
@pytest.mark.parametrize("step", sorted(STEPS))
def test_what_interrupts_leaves_the_old_file(step, error, model, old, monkeypatch):
    before = old.read_bytes()
    with monkeypatch.context() as patch:
        STEPS[step](patch, error())
        with pytest.raises(error):
            save_model(model, old)
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == [old.name]


@on_posix
@pytest.mark.case("F5")
def test_a_folder_that_cannot_be_flushed_is_told(model, old, monkeypatch):
    """The new file is there by then, but may not last through a power cut."""
    fsync = os.fsync

    def fails(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)) as caught:
            save_model(model, old)
    assert caught.value.filename == str(old)
    assert old.read_bytes() == SMALLEST.read_bytes()


# Where files cannot be, and what keeps its kind -----------------------------------

# Root may write everywhere: nobody, who may not, does the rest. The folders of pytest
# are closed to others, so the test makes its own.
AS_NOBODY = """
# What is imported late must be so before its folder is out of reach.
save_model(models[0], path)
folder = Path(os.environ["FOLDER"])
if os.getuid() == 0:
    try:
        os.chown(folder, 65534, 65534)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        list(folder.iterdir())  # out of reach if a folder above is closed
    except OSError:
        report()
        sys.exit()
path = folder / "model.attrec"
answers = {}

def attempt(what, function, *arguments):
    try:
        function(*arguments)
        answers[what] = "done"
    except OSError as error:
        if error.filename != str(path):
            sys.exit(f"{what}: {error!r} does not name the file")
        answers[what] = type(error).__name__

path.write_bytes(contents[0])
folder.chmod(0o555)
attempt("save into a folder that is only read", save_model, models[1], path)
answers["old file is there"] = path.read_bytes() == contents[0]
answers["alone"] = len(list(folder.iterdir())) == 1
folder.chmod(0o000)
attempt("save into a closed folder", save_model, models[1], path)
attempt("load from a closed folder", load_model, path)
folder.chmod(0o300)
attempt("save into a folder that is only written to", save_model, models[1], path)
folder.chmod(0o700)
answers["new file is there"] = path.read_bytes() == contents[1]
path.chmod(0o200)
attempt("load a closed file", load_model, path)
path.chmod(0o400)
attempt("replace a file that is only read", save_model, models[0], path)
answers["mode"] = oct(path.stat().st_mode & 0o777)
report(**answers)
"""


@on_posix
@pytest.mark.case("F6")
def test_folders_and_files_without_permission(tmp_path, two_small_files):
    folder = tempfile.mkdtemp()
    try:
        found = run(AS_NOBODY, tmp_path, *two_small_files, FOLDER=folder)
    finally:
        shutil.rmtree(folder)
    if not found:
        pytest.skip("root may write anywhere, and may not become another user here")
    assert found == {
        "save into a folder that is only read": "PermissionError",
        "old file is there": True,
        "alone": True,
        "save into a closed folder": "PermissionError",
        "load from a closed folder": "PermissionError",
        "save into a folder that is only written to": "done",
        "new file is there": True,
        "load a closed file": "PermissionError",
        "replace a file that is only read": "done",
        "mode": "0o400",
    }


def a_folder(path):
    path.mkdir()


def a_link_to_itself(path):
    path.symlink_to(path)


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(path.parent):
        server.bind(path.name)  # the whole path may be too long for a socket


def a_link_to_a_device(path):
    path.symlink_to("/dev/full")


@on_posix
@pytest.mark.case("F6", "S12")
@pytest.mark.parametrize(
    "make, error",
    [
        (a_folder, IsADirectoryError),
        (a_link_to_itself, OSError),
        (a_pipe, OSError),
        (a_socket, OSError),
        (a_link_to_a_device, OSError),
    ],
)
def test_what_is_no_file_is_not_replaced(make, error, model, tmp_path):
    path = tmp_path / "model.attrec"
    make(path)
    before = path.lstat()
    with pytest.raises(error) as caught:
        save_model(model, path)
    assert caught.value.filename == str(path)
    assert caught.value.strerror
    after = path.lstat()
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@on_posix
@pytest.mark.case("F6")
@pytest.mark.parametrize(
    "name, error",
    [
        ("missing/model.attrec", FileNotFoundError),
        ("x" * 300, OSError),
        ("file/model.attrec", NotADirectoryError),
        ("missing/../../model.attrec", None),
    ],
    ids=["missing folder", "name too long", "file as a folder", "dots"],
)
def test_paths_to_nowhere(name, error, model, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").touch()
    path = folder / name
    if error is None:  # as the shell has it: only what is there can be gone through
        save_model(model, path)
        assert (tmp_path / "model.attrec").is_file()
        return
    for call in (lambda: save_model(model, path), lambda: load_model(path)):
        with pytest.raises(error) as caught:
            call()
        assert caught.value.filename == str(path)
    assert [file.name for file in folder.iterdir()] == ["file"]


@pytest.mark.parametrize("length", [1, 39, 40, 41, 200, 255])
def test_names_of_every_length(length, model, tmp_path):
    path = tmp_path / ("é" * (length // 2) + "x" * (length % 2))
    save_model(model, path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@on_posix
@pytest.mark.case("F6")
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("relative", [True, False])
def test_the_file_behind_a_link_is_replaced(relative, there, model, tmp_path):
    folder, elsewhere = tmp_path / "a", tmp_path / "b"
    folder.mkdir()
    elsewhere.mkdir()
    target, link, first = elsewhere / "model", folder / "link", folder / "first"
    if there:
        target.write_text("old")
    link.symlink_to("../b/model" if relative else target)
    first.symlink_to(link)
    save_model(model, first)
    assert link.is_symlink()
    assert first.is_symlink()
    assert not target.is_symlink()
    assert target.read_bytes() == SMALLEST.read_bytes()
    assert [file.name for file in elsewhere.iterdir()] == ["model"]
    assert load_model(first).get_params() == model.get_params()


@on_posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640, 0o666, 0o444])
def test_permissions_of_a_replaced_file_are_kept(mode, model, old):
    old.chmod(mode)
    save_model(model, old)
    assert stat.S_IMODE(old.stat().st_mode) == mode
    assert old.read_bytes() == SMALLEST.read_bytes()


@on_posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o027, 0o002])
def test_permissions_of_a_new_file_are_those_of_any_other(umask, model, tmp_path):
    before = os.umask(umask)
    try:
        save_model(model, tmp_path / "model.attrec")
    finally:
        os.umask(before)
    mode = stat.S_IMODE((tmp_path / "model.attrec").stat().st_mode)
    assert mode == 0o666 & ~umask


@on_posix
def test_a_private_file_is_private_from_its_first_byte(old):
    old.chmod(0o600)
    before = os.umask(0)
    try:
        with replacing(old):
            (name,) = unfinished(old.parent)
            assert stat.S_IMODE((old.parent / name).stat().st_mode) == 0o600
    finally:
        os.umask(before)


# Damage ---------------------------------------------------------------------------


def refusals(path):
    """Load a file in every way; return the types of the errors."""
    errors = set()
    for options in ({}, {"verify": "header"}, {"verify": "header", "mmap": True}):
        try:
            load_model(path, **options)
            errors.add(None)
        except Exception as error:
            errors.add(type(error))
    return errors


@pytest.mark.case("F7")
def test_truncation_at_every_length_is_noticed(tmp_path, record_property):
    path = tmp_path / "model.attrec"
    content = SMALLEST.read_bytes()
    path.write_bytes(content)
    for length in range(len(content) - 1, -1, -1):
        os.truncate(path, length)
        assert refusals(path) == {ModelCorruptError}, length
    record_property("truncations noticed, at every length", len(content))


@pytest.mark.case("F7")
def test_truncation_of_a_larger_file_is_noticed(tmp_path, two_files, record_property):
    path = tmp_path / "model.attrec"
    content = two_files[0].read_bytes()
    path.write_bytes(content)
    lengths = np.random.default_rng(0).choice(len(content), 500, replace=False)
    for length in np.sort(lengths)[::-1]:
        os.truncate(path, length)
        assert refusals(path) == {ModelCorruptError}, length
    record_property("truncations noticed, of a larger file", len(lengths))


@pytest.mark.case("F7", "S5")
@pytest.mark.parametrize(
    "more",
    [b"\0", b" ", b"x" * 4096, b"PK\5\6" + bytes(18)],
    ids=["NUL", "space", "page", "end of a zip archive"],
)
def test_bytes_after_the_end_are_noticed(more, tmp_path):
    path = tmp_path / "model.attrec"
    path.write_bytes(SMALLEST.read_bytes() + more)
    assert refusals(path) == {ModelCorruptError}


def flip_bits(path, bits):
    """Flip one bit after the other; return those of which nobody took notice."""
    accepted = []
    with path.open("r+b", buffering=0) as file:
        for bit in bits:
            byte = os.pread(file.fileno(), 1, bit // 8)
            os.pwrite(file.fileno(), bytes([byte[0] ^ 1 << bit % 8]), bit // 8)
            try:
                load_model(path)
                accepted.append(bit)
            except Exception as error:
                if type(error) is not ModelCorruptError:
                    accepted.append((bit, repr(error)))
            os.pwrite(file.fileno(), byte, bit // 8)
    load_model(path)  # all bits are as they were
    return accepted


@on_posix
@pytest.mark.case("F8")
def test_no_flipped_bit_is_accepted(tmp_path, times, record_property):
    """Some of header, ids, histories and weights alike; in a soak, all there are."""
    path, total = tmp_path / "model.attrec", 0
    for source in GOLDEN:
        path.write_bytes(source.read_bytes())
        n_bits = 8 * path.stat().st_size
        count = times(2_000 // len(GOLDEN) + 1, n_bits)
        bits = np.random.default_rng(0).choice(n_bits, count, replace=False).tolist()
        assert flip_bits(path, bits) == []
        total += count
    record_property("single bits flipped, none accepted", total)


@on_posix
@pytest.mark.case("F8")
def test_no_flipped_bit_of_a_header_is_accepted(tmp_path, record_property):
    path = tmp_path / "model.attrec"
    path.write_bytes(SMALLEST.read_bytes())
    bits = range(8 * (8 + int.from_bytes(path.read_bytes()[:8], "little")))
    accepted = flip_bits(path, bits)
    record_property("single bits flipped, all of a header", len(bits))
    assert accepted == []


@pytest.mark.case("F8")
@pytest.mark.parametrize("mark", _tensor_file.OTHER_FORMATS)
def test_a_damaged_beginning_is_not_taken_for_another_format(mark, tmp_path):
    """A length may look like the mark of a pickle: 0x480 bytes begin with 0x80."""
    path = tmp_path / "model.attrec"
    content = bytearray(SMALLEST.read_bytes())
    content[: len(mark)] = mark
    for place in range(8, 8 + len(_tensor_file.MAGIC)):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ModelCorruptError, match="beginning is damaged"):
            load_model(path)


# Several at once ------------------------------------------------------------------

TOGETHER = """
ends = time.monotonic() + float(os.environ["SECONDS"])

def enough(count):  # a slow disk gets a minute more
    return time.monotonic() > ends + (0 if count > 10 else 60)

def save_on(model):
    count = 0
    while not enough(count):
        save_model(model, path)
        count += 1
    os.write(pipe[1], b"saves %d\\n" % count)

def load_on(options):
    count, seen = 0, set()
    while not enough(count):
        loaded = load_model(path, **options)
        k = len(loaded.items_)
        found = loaded.recommend(loaded.users_[:2].tolist(), k=k, exclude_seen=False)
        seen.add(known[found.to_json()])
        count += 1
    os.write(pipe[1], b"loads %d\\nseen %d\\n" % (count, len(seen)))

known = {}
for n, model in enumerate(models):
    k = len(model.items_)
    found = model.recommend(model.users_[:2].tolist(), k=k, exclude_seen=False)
    known[found.to_json()] = n

pipe = os.pipe()
save_model(models[0], path)
children = [child(save_on, model) for model in models]
for n in range(4):
    options = {"mmap": n % 2 == 1, "verify": "full" if n < 3 else "header"}
    children.append(child(load_on, options))
failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
os.close(pipe[1])
counts = {"saves": 0, "loads": 0, "seen": 0}
with os.fdopen(pipe[0]) as file:
    for line in file:
        name, count = line.split()
        counts[name] += int(count)
report(failed=failed, left=len(unfinished()), **counts)
"""


@on_posix
@pytest.mark.case("F12")
def test_two_save_while_four_load(tmp_path, two_files, times, record_property):
    found = run(TOGETHER, tmp_path, *two_files, SECONDS=str(times(5, 60)))
    record_property("saves of two processes to one path", found["saves"])
    record_property("loads while two processes save to one path", found["loads"])
    assert (found["failed"], found["left"]) == (0, 0)
    assert found["saves"] > 10
    assert found["loads"] > 20
    assert found["seen"] > 4  # the file did change under their eyes


REPEAT = """
import itertools

def measure():
    _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
    descriptors = len(os.listdir("/proc/self/fd"))
    # Pages of files come and go as the machine needs memory.
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE"), descriptors

ways = [(s, m, v) for s in sources for m in (False, True) for v in ("full", "header")]
n_loads = int(os.environ["LOADS"])
most, n_open = 0, set()
for n, (source, mmap, verify) in enumerate(itertools.cycle(ways)):
    model = load_model(source, mmap=mmap, verify=verify)
    model.recommend(model.users_[:1].tolist(), k=2, exclude_seen=False)
    del model  # of a mapped file it holds the descriptor
    if n == 300:
        start, _ = measure()
    if n >= 300 and n % 10 == 0:
        memory, descriptors = measure()
        most = max(most, memory - start)
        n_open.add(descriptors)
    if n >= 300 + n_loads:
        break
report(grown=memory - start, most=most, n_open=len(n_open))
"""


@on_linux
@pytest.mark.case("F16")
def test_loading_again_and_again_leaves_nothing_behind(
    tmp_path, times, record_property
):
    n_loads = times(2_000, 50_000)
    found = run(REPEAT, tmp_path, *GOLDEN, LOADS=str(n_loads))
    record_property("loads in one process", n_loads)
    record_property("loads in one process, kB left", round(found["grown"] / 1_000))
    assert abs(found["grown"]) < 5_000_000
    assert found["most"] < 5_000_000
    assert found["n_open"] == 1


# What others left -----------------------------------------------------------------


@on_posix
@pytest.mark.case("F24")
def test_what_a_killed_writer_left_is_ignored_and_swept_away(model, old):
    for name in (".model.attrec.0123456789abcdef", ".other.attrec.fedcba9876543210"):
        (old.parent / f"{name}{UNFINISHED}").write_bytes(b"half a file")
    assert load_model(old).get_params() == load_model(GOLDEN[0]).get_params()
    assert len(unfinished(old.parent)) == 2  # loading removes nothing
    save_model(model, old)
    assert [path.name for path in old.parent.iterdir()] == [old.name]


@on_posix
@pytest.mark.case("F24")
def test_what_a_writer_is_at_is_left_alone(model, old):
    other = old.with_name("other.attrec")
    with replacing(other) as file:
        file.write(b"half, ")
        (name,) = unfinished(old.parent)
        save_model(model, old)
        assert unfinished(old.parent) == [name]
        file.write(b"whole")
    assert other.read_bytes() == b"half, whole"
    assert unfinished(old.parent) == []


@on_posix
@pytest.mark.case("F24")
def test_only_unfinished_files_are_swept_away(model, old):
    kept = [".hidden", "visible.attrec-tmp", ".model.attrec.tmp", ".folder.attrec-tmp"]
    folder = old.parent
    (folder / kept[-1]).mkdir()
    for name in kept[:-1]:
        (folder / name).write_text("precious")
    (folder / f".link{UNFINISHED}").symlink_to(folder / ".hidden")
    os.mkfifo(folder / f".pipe{UNFINISHED}")  # nobody reads it: no reason to wait
    save_model(model, old)
    assert all((folder / name).exists() for name in kept)
    assert (folder / ".hidden").read_text() == "precious"


@on_posix
@pytest.mark.case("F24", "F12")
def test_a_writer_whose_file_was_swept_away_takes_another(model, old, monkeypatch):
    """Between making and locking a file, others take it for one left behind."""
    flock, calls = _files.fcntl.flock, []

    def sweep_first(descriptor, operation):
        calls.append(operation)
        if len(calls) == 1:
            _files._sweep(old.parent)
        flock(descriptor, operation)

    monkeypatch.setattr(_files.fcntl, "flock", sweep_first)
    save_model(model, old)
    assert len(calls) == 3  # the writer's, the other's, the writer's again
    assert old.read_bytes() == SMALLEST.read_bytes()
    assert unfinished(old.parent) == []


@on_posix
def test_a_file_system_without_locks_is_good_enough(model, old, monkeypatch):
    def fails(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    left = old.with_name(f".left{UNFINISHED}")
    left.write_bytes(b"")
    monkeypatch.setattr(_files.fcntl, "flock", fails)
    save_model(model, old)
    assert old.read_bytes() == SMALLEST.read_bytes()
    assert left.exists()  # whether somebody is at it cannot be told


# Out of memory --------------------------------------------------------------------


def open_files():
    """The paths of what this process holds open, whoever opened it."""
    paths = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            paths.add(descriptor.readlink())
    return paths


# What was just opened is closed, if only by the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@on_linux
@pytest.mark.case("F19")
@pytest.mark.parametrize("mmap", [False, True])
def test_memory_that_runs_out_at_any_line_of_a_load(mmap, tmp_path, record_property):
    """It is told as it is; the file does not stay open and nothing is half built."""
    path = tmp_path / "model.attrec"
    path.write_bytes(GOLDEN[0].read_bytes())
    watched = {_model_state.__file__, _tensor_file.__file__}
    # Between opening a file and wrapping it there is nothing that takes memory.
    exempt = {"_open_regular"}
    step = 0

    def load(step):
        def trace(frame, event, argument):
            nonlocal left
            code = frame.f_code
            if code.co_filename not in watched or code.co_name in exempt:
                return None
            left -= event == "line"
            if left < 0:
                sys.settrace(None)
                raise MemoryError
            return trace

        left = step
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            return load_model(path, mmap=mmap)
        finally:
            sys.settrace(before)

    while True:
        try:
            loaded = load(step)
            break
        except MemoryError as error:
            assert error.args == ()
        step += 1
    how = "mapped" if mmap else "read"
    record_property(f"lines of loading out of memory, {how}", step)
    assert step > 200
    assert loaded.get_params() == load_model(path).get_params()
    assert (path in open_files()) == mmap
    del loaded
    assert path not in open_files()


def test_inspect_tells_of_damage(tmp_path):
    path = tmp_path / "model.attrec"
    path.write_bytes(SMALLEST.read_bytes()[:-1])
    with pytest.raises(ModelCorruptError, match="bytes of data instead of"):
        inspect_model(path)
