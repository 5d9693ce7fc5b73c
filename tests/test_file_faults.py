"""Model files under faults: kills, full disks, damage, several processes.

Tests that kill, fork or measure memory do so in a new process, without TensorFlow.
"""

import contextlib
import errno
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from sklearn_attrec import MarkovRecommender, load_model, save_model
from sklearn_attrec.exceptions import ModelCorruptError
from sklearn_attrec.persistence import (
    _deserialize,
    _manifest,
    _tensor_checks,
    inspect_model,
)
from sklearn_attrec.utils import _atomic_file, _tensor_file
from sklearn_attrec.utils._atomic_file import UNFINISHED, replacing

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*/*.attrec"))
SMALLEST = min(  # of the present format, in which it is saved again
    GOLDEN[-1].parent.glob("*.attrec"), key=lambda path: path.stat().st_size
)
OLD, NEW = GOLDEN[0].read_bytes(), SMALLEST.read_bytes()
WRITERS = [_atomic_file, _tensor_file]
LOADERS = [_deserialize, _manifest, _tensor_checks, _tensor_file]

pytestmark = pytest.mark.timeout(3_000)  # `make soak` takes long

on_posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs /proc of Linux"
)


@pytest.fixture(scope="module")
def two_files(tmp_path_factory):
    """Files of two models, of about 150 and 300 kB."""
    folder, rng = tmp_path_factory.mktemp("two"), np.random.default_rng(0)
    for name, n_users in (("first", 1_000), ("second", 2_000)):
        user = np.repeat(np.arange(n_users), 10)
        rows = np.column_stack([user, rng.integers(500, size=len(user))])
        save_model(MarkovRecommender().fit(rows), folder / name)
    return folder / "first", folder / "second"


@pytest.fixture
def model():
    """A model whose file is NEW."""
    return load_model(SMALLEST)


@pytest.fixture
def old(tmp_path):
    """A model file that is to be replaced."""
    path = tmp_path / "model.attrec"
    path.write_bytes(OLD)
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def names(folder):
    return [path.name for path in Path(folder).iterdir()]


def unfinished(folder):
    return [name for name in names(folder) if name.endswith(UNFINISHED)]


@contextlib.contextmanager
def at_each_line(modules, call, exempt=()):
    """Call a function before each line that some modules run."""
    watched = {module.__file__ for module in modules}

    def trace(frame, event, argument):
        code = frame.f_code
        if code.co_filename not in watched or code.co_name in exempt:
            return None
        if event == "line":
            call()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def countdown(n, function):
    """Return a function whose nth call, from 0, and later ones call another."""
    calls = itertools.count()
    return lambda: function() if next(calls) >= n else None


CALL = """
import json, sys, test_file_faults
function = getattr(test_file_faults, sys.argv[1])
print(json.dumps(function(*json.loads(sys.argv[2]))))
"""


def in_process(function, *arguments):
    """Call a function of this module in a fresh Python and return what it returns."""
    text = json.dumps(arguments, default=str)
    answer = subprocess.run(
        [sys.executable, "-c", CALL, function.__name__, text],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=2_900,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    return json.loads(answer.stdout)


def fork(function, *arguments):
    """Call a function in a child that ends at once, and return its process id."""
    if pid := os.fork():
        return pid
    try:
        function(*arguments)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def kill_writers(folder, sources, n_kills):
    path = Path(folder, "model.attrec")
    models = [load_model(source) for source in sources]
    whole = [Path(source).read_bytes() for source in sources]
    fsync = os.fsync

    def slow_fsync(descriptor):
        time.sleep(0.001)  # as of a disk; a folder in memory takes no time
        fsync(descriptor)

    def save_forever():
        for model in itertools.cycle(models[::-1]):
            save_model(model, path)

    os.fsync = slow_fsync
    rng = np.random.default_rng(0)
    started = time.monotonic()
    for _ in range(5):
        save_model(models[0], path)
    pace = (time.monotonic() - started) / 5
    n_unfinished = n_second = 0
    for _ in range(n_kills):
        writer = fork(save_forever)
        time.sleep(rng.uniform(0, 4 * pace))
        os.kill(writer, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(writer, 0)[1])
        n_unfinished += bool(unfinished(folder))
        content = path.read_bytes()
        assert content in whole
        n_second += content == whole[1]
        save_model(models[0], path)
        assert names(folder) == [path.name]
    return n_unfinished, n_second


@on_posix
@pytest.mark.case("F1")
def test_killed_writers_leave_a_whole_file(tmp_path, two_files, times, record_property):
    n_kills = times(300, 5_000)
    n_unfinished, n_second = in_process(kill_writers, tmp_path, two_files, n_kills)
    figure = "Saves killed by SIGKILL at random moments"
    record_property(f"{figure}; every file was complete afterwards", n_kills)
    record_property(f"{figure}, of which killed in the middle of writing", n_unfinished)
    # Few kills in the middle of writing, or of a second save, would prove little.
    assert n_unfinished > n_kills / 50
    assert n_second > n_kills / 50


def crash_at_each_line(folder, before):
    """Return which file is there after a crash at the first line, the second, ..."""
    path, model = Path(folder, "model.attrec"), load_model(SMALLEST)

    def save_and_crash(step):
        # Nothing that Python holds is written, and nothing is cleaned up.
        with at_each_line(WRITERS, countdown(step, lambda: os._exit(137))):
            save_model(model, path)

    seen, status = [], None
    while status != 0:
        path.unlink(missing_ok=True)
        if before == "old":
            path.write_bytes(OLD)
        _, status = os.waitpid(fork(save_and_crash, len(seen)), 0)
        assert os.waitstatus_to_exitcode(status) in (0, 137)
        found = contents(folder).get(path.name)
        seen.append({None: "none", OLD: "old", NEW: "new"}[found])
        if unfinished(folder):
            save_model(model, path)
        assert names(folder) in ([], [path.name])
    return seen


@on_posix
@pytest.mark.case("F2")
def test_a_crash_at_every_line_leaves_a_whole_file(record_property):
    memory = "/dev/shm"  # noqa: S108, it spares the disk 300 flushes
    n_crashes = 0
    for before in ("old", "none"):
        where = memory if os.access(memory, os.W_OK) else None
        with tempfile.TemporaryDirectory(dir=where) as folder:
            seen = in_process(crash_at_each_line, folder, before)
        n_crashes += len(seen) - 1  # the last one went well
        n_after = seen.count("new")
        assert len(seen) > 100
        assert 1 < n_after < 20  # the lines after the new file took the old one's place
        assert seen == [before] * (len(seen) - n_after) + ["new"] * n_after
    figure = "Saves that crashed at each line of the code in turn"
    record_property(f"{figure}; each left the old or the new file", n_crashes)


@pytest.mark.case("F2", "F12")
def test_a_reader_at_any_line_sees_a_whole_file(model, old):
    seen = []
    with at_each_line(WRITERS, lambda: seen.append(old.read_bytes())):
        save_model(model, old)
    assert set(seen) == {OLD, NEW}
    assert seen == [OLD] * seen.count(OLD) + [NEW] * seen.count(NEW)


@on_posix
@pytest.mark.case("F2")
@pytest.mark.parametrize("exists", [True, False])
def test_new_file_is_on_the_disk_first(model, old, exists, monkeypatch):
    path = old if exists else old.with_name("new.attrec")
    replace, steps = Path.replace, []

    def watched_fsync(descriptor):
        found = os.fstat(descriptor)
        steps.append("folder" if stat.S_ISDIR(found.st_mode) else found.st_size)

    def watched_replace(self, target):
        steps.append(f"replace {Path(target).name}")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(Path, "replace", watched_replace)
        save_model(model, path)
    assert steps == [len(NEW), f"replace {path.name}", "folder"]


@on_posix
@pytest.mark.case("F5")
def test_a_disk_that_is_full_at_any_byte(model, old, record_property):
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    cases = [*itertools.product([True, False], range(0, len(NEW), 61))]
    for exists, limit in cases:
        if not exists:
            old.unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OSError, match="too large") as caught:
                save_model(model, old)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert caught.value.filename == str(old)
        assert contents(old.parent) == ({old.name: OLD} if exists else {})
    record_property("Saves on a full disk; each left the old file", len(cases))


def fail_at_write(n):
    def install(patch, error):
        def failing_fdopen(*arguments):
            file = fdopen(*arguments)
            effects = [mock.DEFAULT] * n + [error]
            file.write = mock.Mock(wraps=file.write, side_effect=effects)
            return file

        fdopen = os.fdopen
        patch.setattr(os, "fdopen", failing_fdopen)

    return install


def fail_at(owner, name):
    return lambda patch, error: patch.setattr(owner, name, mock.Mock(side_effect=error))


STEPS = {f"write {n}": fail_at_write(n) for n in range(5)}
STEPS |= {"fsync": fail_at(os, "fsync"), "replace": fail_at(Path, "replace")}
STEPS |= {"create": fail_at(os, "open"), "fchmod": fail_at(os, "fchmod")}
FAILURES = {
    "ENOSPC": partial(OSError, errno.ENOSPC, "No space"),
    "EACCES": partial(OSError, errno.EACCES, "No permission"),
    "interrupt": KeyboardInterrupt,
    "memory": MemoryError,
}


@on_posix
@pytest.mark.case("F5", "F6", "F19")
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("step", STEPS)
def test_failed_save_leaves_the_old_file(step, failure, model, old, monkeypatch):
    error = FAILURES[failure]()
    with monkeypatch.context() as patch:
        STEPS[step](patch, error)
        with pytest.raises(type(error)) as caught:
            save_model(model, old)
    assert caught.value.args == error.args
    assert getattr(caught.value, "filename", str(old)) == str(old)
    assert contents(old.parent) == {old.name: OLD}


@on_posix
@pytest.mark.case("F5")
def test_folder_that_cannot_be_flushed_is_an_error(model, old, monkeypatch):
    """The new file is there by then, but may not survive a power cut."""
    effects = [None, OSError(errno.EIO, "Input/output error")]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", mock.Mock(side_effect=effects))
        with pytest.raises(OSError, match="Input/output") as caught:
            save_model(model, old)
    assert caught.value.filename == str(old)
    assert contents(old.parent) == {old.name: NEW}


@contextlib.contextmanager
def as_nobody(*paths):
    """Give root, which may write anywhere, the rights of the user nobody."""
    if os.geteuid():
        yield
        return
    try:
        for path in paths:
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
    except OSError:
        pytest.skip("root may not become another user here")
    try:
        yield
    finally:
        os.seteuid(0)


@on_posix
@pytest.mark.case("F6")
def test_folders_without_permission(model, tmp_path):
    save_model(model, tmp_path / "first")  # imports the modules that saving needs
    with tempfile.TemporaryDirectory() as name:  # pytest's are closed to nobody
        folder, path = Path(name), Path(name, "model.attrec")
        path.write_bytes(OLD)
        path.chmod(0o400)
        with as_nobody(folder, path):
            for mode in (0o500, 0o000):
                folder.chmod(mode)
                with pytest.raises(PermissionError) as caught:
                    save_model(model, path)
                folder.chmod(0o700)
                assert caught.value.filename == str(path)
                assert contents(folder) == {path.name: OLD}
            folder.chmod(0o300)
            save_model(model, path)
            folder.chmod(0o700)
        assert contents(folder) == {path.name: NEW}


NO_FILES = {
    "folder": (Path.mkdir, IsADirectoryError),
    "link to itself": (lambda path: path.symlink_to(path), OSError),
    "pipe": (os.mkfifo, OSError),
    "link to a device": (lambda path: path.symlink_to("/dev/full"), OSError),
}


@on_posix
@pytest.mark.case("F6", "S12")
@pytest.mark.parametrize("kind", NO_FILES)
def test_only_regular_files_are_replaced(kind, model, tmp_path):
    make, error = NO_FILES[kind]
    path = tmp_path / "model.attrec"
    make(path)
    with pytest.raises(error) as caught:
        save_model(model, path)
    assert caught.value.filename == str(path)
    assert caught.value.strerror
    assert names(tmp_path) == [path.name]
    assert not path.is_file()


@on_posix
@pytest.mark.case("F6")
@pytest.mark.parametrize(
    "name, error",
    [
        ("missing/model.attrec", FileNotFoundError),
        ("x" * 300, OSError),
        ("file/model.attrec", NotADirectoryError),
    ],
    ids=["missing folder", "name too long", "file as a folder"],
)
def test_impossible_paths(name, error, model, tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / name
    for call in (partial(save_model, model), load_model, inspect_model):
        with pytest.raises(error) as caught:
            call(path)
        assert caught.value.filename == str(path)
    assert names(tmp_path) == ["file"]


@on_posix
@pytest.mark.parametrize("name", ["x", "é" * 20, "é" * 127 + "x", "missing/../x"])
def test_names_of_any_length(name, model, tmp_path):
    save_model(model, tmp_path / name)
    assert contents(tmp_path) == {Path(name).name: NEW}


@on_posix
@pytest.mark.case("F6")
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("relative", [True, False])
def test_the_file_behind_a_link_is_replaced(relative, exists, model, tmp_path):
    target, link, first = (tmp_path / name for name in ("a/model", "b/link", "b/first"))
    target.parent.mkdir()
    link.parent.mkdir()
    if exists:
        target.write_text("old")
    link.symlink_to("../a/model" if relative else target)
    first.symlink_to(link)
    save_model(model, first)
    assert link.is_symlink()
    assert first.is_symlink()
    assert not target.is_symlink()
    assert contents(target.parent) == {"model": NEW}


MODES = [(0o600, 0o000, 0o600), (0o444, 0o077, 0o444), (0o666, 0o022, 0o666)]
MODES += [(None, 0o022, 0o644), (None, 0o077, 0o600)]


@on_posix
@pytest.mark.parametrize("mode, umask, expected", MODES)
def test_permissions_are_those_of_the_old_file_or_the_umask(mode, umask, expected, old):
    """They hold while the file is written, too."""
    old.unlink() if mode is None else old.chmod(mode)
    before = os.umask(umask)
    try:
        with replacing(old):
            (name,) = unfinished(old.parent)
            first = stat.S_IMODE(old.with_name(name).stat().st_mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.stat().st_mode) == expected
    assert first == (expected if mode is None else 0o600)


def assert_damage_noticed(path):
    for function in (
        load_model,
        partial(load_model, verify="header"),
        partial(load_model, verify="header", mmap=True),
        inspect_model,
    ):
        with pytest.raises(ModelCorruptError):
            function(path)


@pytest.mark.case("F7", "S5")
def test_wrong_lengths_are_noticed(tmp_path, two_files, record_property):
    """Every shorter one, some longer ones, and some of a larger file."""
    path, large = tmp_path / "model.attrec", two_files[0].read_bytes()
    some = np.random.default_rng(0).choice(len(large), 500, replace=False)
    longer = [len(NEW) + more for more in (4096, 8, 1)]
    for content, lengths in (
        (NEW, [*longer, *range(len(NEW) - 1, -1, -1)]),
        (large, np.sort(some)[::-1]),
    ):
        path.write_bytes(content)
        for length in lengths:
            os.truncate(path, length)
            assert_damage_noticed(path)
    small = "Model file cut short at every length; all were rejected"
    record_property(small, len(NEW))
    large = "Larger model file cut short; all lengths tried were rejected"
    record_property(large, len(some))


def flip_bits(path, bits):
    """Flip one bit after the other; return those that are not noticed."""
    accepted = []
    with path.open("r+b", buffering=0) as file:
        for bit in bits:
            byte = os.pread(file.fileno(), 1, bit // 8)
            os.pwrite(file.fileno(), bytes([byte[0] ^ 1 << bit % 8]), bit // 8)
            try:
                load_model(path)
                accepted.append(bit)
            except ModelCorruptError:
                pass
            except Exception as error:
                accepted.append((bit, repr(error)))
            os.pwrite(file.fileno(), byte, bit // 8)
    load_model(path)  # all bits are as they were
    return accepted


@on_posix
@pytest.mark.case("F8")
def test_no_flipped_bit_is_accepted(tmp_path, times, record_property):
    """All bits of a header, and some of each file; `make soak` flips all there are."""
    path, total = tmp_path / "model.attrec", 0
    for source in GOLDEN:
        path.write_bytes(source.read_bytes())
        n_bits = 8 * path.stat().st_size
        count = times(2_000 // len(GOLDEN) + 1, n_bits)
        bits = np.random.default_rng(0).choice(n_bits, count, replace=False).tolist()
        assert flip_bits(path, bits) == []
        total += count
    record_property("Single bits flipped in model files; all were detected", total)
    path.write_bytes(NEW)
    bits = range(8 * (8 + int.from_bytes(NEW[:8], "little")))
    assert flip_bits(path, bits) == []
    figure = "All bits of one header flipped one by one; all were detected"
    record_property(figure, len(bits))


@pytest.mark.case("F8")
@pytest.mark.parametrize("mark", _tensor_file.OTHER_FORMATS)
def test_a_damaged_beginning_is_not_taken_for_another_format(mark, tmp_path):
    """A length may look like the mark of a pickle: 0x480 bytes begin with 0x80."""
    path = tmp_path / "model.attrec"
    content = mark + NEW[len(mark) :]
    for place in range(8, 8 + len(_tensor_file.MAGIC)):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ModelCorruptError, match="damaged"):
            load_model(path)
    path.write_bytes(content[:20] + bytes(8) + content[28:])  # several bytes at once
    with pytest.raises(ModelCorruptError, match="damaged"):
        load_model(path)


def answer(model):
    k, users = len(model.items_), model.users_[:2].tolist()
    return model.recommend(users, k=k, exclude_seen=False).to_json()


def save_and_load_together(folder, sources, seconds):
    """Return for each process what it did, how often, and how many answers it saw."""
    path = Path(folder, "model.attrec")
    models = [load_model(source) for source in sources]
    known = {answer(model) for model in models}
    ends = time.monotonic() + seconds
    reading, writing = os.pipe()

    def repeat(name, call):
        count, seen = 0, set()
        # A slow disk gets a minute more.
        while time.monotonic() < ends + (60 if count <= 10 else 0):
            seen.add(call())
            count += 1
        os.write(writing, json.dumps([name, count, len(seen)]).encode() + b"\n")

    def load(options):
        found = answer(load_model(path, **options))
        assert found in known
        return found

    save_model(models[0], path)
    children = [fork(repeat, "save", partial(save_model, m, path)) for m in models]
    for n in range(4):
        options = {"mmap": n % 2 == 1, "verify": "full" if n < 3 else "header"}
        children.append(fork(repeat, "load", partial(load, options)))
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    os.close(writing)
    assert names(folder) == [path.name]
    with os.fdopen(reading) as file:
        return [json.loads(line) for line in file]


@on_posix
@pytest.mark.case("F12")
def test_two_save_while_four_load(tmp_path, two_files, times, record_property):
    found = in_process(save_and_load_together, tmp_path, two_files, times(5, 60))
    n_saves = sum(count for name, count, _ in found if name == "save")
    n_loads = sum(count for name, count, _ in found if name == "load")
    record_property("Saves by two processes to one path at the same time", n_saves)
    figure = "Loads while two processes save to one path; each gave a complete model"
    record_property(figure, n_loads)
    assert n_saves > 10
    assert n_loads > 20
    # The file did change between loads.
    assert sum(n_seen for name, _, n_seen in found if name == "load") > 4


def load_repeatedly(n_loads):
    def measure():
        _, resident, shared, *_ = map(int, Path("/proc/self/statm").read_text().split())
        # Pages of files come and go as the machine needs memory.
        memory = (resident - shared) * os.sysconf("SC_PAGE_SIZE")
        return memory, len(names("/proc/self/fd"))

    ways = itertools.product(GOLDEN, (False, True), ("full", "header"))
    found = []
    repeated = itertools.islice(itertools.cycle(ways), 301 + n_loads)
    for n, (source, mmap, verify) in enumerate(repeated):
        model = load_model(source, mmap=mmap, verify=verify)
        model.recommend(model.users_[:1].tolist(), k=2, exclude_seen=False)
        del model  # of a mapped file it holds the descriptor
        if n >= 300 and n % 10 == 0:
            found.append(measure())
    memory, descriptors = zip(*found, strict=True)
    return max(memory) - memory[0], memory[-1] - memory[0], len(set(descriptors))


@on_linux
@pytest.mark.case("F16")
def test_repeated_loading_leaves_nothing_behind(times, record_property):
    n_loads = times(2_000, 50_000)
    most, left, n_descriptor_counts = in_process(load_repeatedly, n_loads)
    record_property("Model loads in one process", n_loads)
    figure = "Model loads in one process, kB of memory left after them"
    record_property(figure, round(left / 1_000))
    assert most < 5_000_000
    assert abs(left) < 5_000_000
    assert n_descriptor_counts == 1


@on_posix
@pytest.mark.case("F24")
def test_files_of_killed_writers_are_ignored_and_removed(model, old):
    folder = old.parent
    kept = {".hidden": b"a", "visible.attrec-tmp": b"b", ".model.attrec.tmp": b"c"}
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    for name in (".model.attrec.0123456789abcdef", ".other.attrec.fedcba9876543210"):
        (folder / f"{name}{UNFINISHED}").write_bytes(b"half a file")
    load_model(old)
    assert len(unfinished(folder)) == 3  # loading removes nothing
    save_model(model, old)
    assert contents(folder) == kept | {old.name: NEW}


@on_posix
@pytest.mark.case("F24")
def test_only_regular_files_are_removed(model, old):
    folder, pipe, link = (old.with_name(f".{n}{UNFINISHED}") for n in range(3))
    folder.mkdir()
    link.symlink_to(GOLDEN[0])
    os.mkfifo(pipe)  # nobody reads it, and nobody waits for that
    save_model(model, old)
    assert folder.is_dir()
    assert GOLDEN[0].read_bytes() == OLD


@on_posix
@pytest.mark.case("F24")
def test_files_of_running_writers_are_kept(model, old):
    other = old.with_name("other.attrec")
    with replacing(other) as file:
        file.write(b"half, ")
        (name,) = unfinished(old.parent)
        save_model(model, old)
        assert unfinished(old.parent) == [name]
        file.write(b"whole")
    assert contents(old.parent) == {old.name: NEW, other.name: b"half, whole"}


@on_posix
@pytest.mark.case("F24", "F12")
def test_a_writer_whose_file_was_removed_creates_another(model, old, monkeypatch):
    """Before a new file is locked, another process may take it for one left behind."""
    flock, calls = _atomic_file.fcntl.flock, []

    def sweep_first(descriptor, operation):
        calls.append(operation)
        if len(calls) == 1:
            _atomic_file._sweep(old.parent)
        flock(descriptor, operation)

    monkeypatch.setattr(_atomic_file.fcntl, "flock", sweep_first)
    save_model(model, old)
    assert len(calls) == 3  # the writer's, the other's, the writer's again
    assert contents(old.parent) == {old.name: NEW}


@on_posix
def test_a_file_system_without_locks_suffices(model, old, monkeypatch):
    left = old.with_name(f".left{UNFINISHED}")
    left.write_bytes(b"")
    error = OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    monkeypatch.setattr(_atomic_file.fcntl, "flock", mock.Mock(side_effect=error))
    save_model(model, old)
    # Whether another process still writes the other file is unknown, so it stays.
    assert contents(old.parent) == {old.name: NEW, left.name: b""}


def is_open(path):
    """Tell whether this process has a file open."""
    found = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    return os.path.realpath(path) in found


# What was just opened is closed, if only by the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@on_linux
@pytest.mark.case("F19")
@pytest.mark.parametrize("mmap", [False, True])
def test_memory_may_run_out_at_any_line_of_a_load(mmap, old, record_property):
    """MemoryError is raised as it is, and the file does not stay open."""
    step, loaded = 0, None
    while loaded is None:
        fail = countdown(step, mock.Mock(side_effect=MemoryError))
        # Between opening a file and wrapping it nothing takes memory.
        lines = at_each_line(LOADERS, fail, exempt={"_open_regular"})
        with contextlib.suppress(MemoryError), lines:
            loaded = load_model(old, mmap=mmap)
        step += 1
    how = "mapped" if mmap else "read"
    figure = f"Lines of the loader at which memory ran out ({how})"
    record_property(f"{figure}; each left no half-built model", step - 1)
    assert step > 200
    assert loaded.get_params() == load_model(old).get_params()
    assert is_open(old) == mmap
    del loaded
    assert not is_open(old)
