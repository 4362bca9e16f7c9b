"""Pickles as plain data: everything published ones hold, and nothing of what an attacker would want."""

import pickle
import pickletools

import numpy as np
import pytest

from offshelf.dataset.published.pickled import read_pickle
from offshelf.errors import DatasetError

CONTENT = {
    "imlist": ["a", "é"],
    "sizes": (1, -2.5, True, None, b"\x00\xff", 2**70),
    "rows": np.arange(6, dtype=np.int32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big": np.array([1, 256], ">u2"),
    "none": np.array([], np.int64),
    "scalar": np.float64(0.5),
    "flag": np.array([True, False]),
}
PLAIN = CONTENT | {
    "rows": [[0, 1, 2], [3, 4, 5]],
    "columns": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
    "big": [1, 256],
    "none": [],
    "scalar": 0.5,
    "flag": [True, False],
}


@pytest.fixture
def written(tmp_path):
    """A function that writes bytes to a file."""

    def write(data):
        path = tmp_path / "gnd.pkl"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("modules", [b"numpy._core", b"numpy.core"])
def test_plain_data(written, protocol, modules):
    """Of every protocol, from NumPy 1 and 2."""
    data = pickle.dumps(CONTENT, protocol)
    if protocol < 4:  # names are lines, of any length
        data = data.replace(b"numpy._core", modules).replace(b"numpy.core", modules)

    found = read_pickle(written(data))
    assert found == PLAIN
    assert {type(value) for value in found.values()} <= {list, tuple, float, type(found["rows"])}
    assert isinstance(found["rows"], list)


def test_python_2(written):
    """Strings that are bytes, and an array whose numbers are one."""
    text = b"\x80\x02}q\x00U\x06imlistq\x01]q\x02U\x01aas."
    assert read_pickle(written(text)) == {"imlist": ["a"]}
    raw = np.array([200, -1], "<i2").tobytes()
    array = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x02\x85"
        b"cnumpy\ndtype\nU\x02i2K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04"
        + raw
        + b"tb."
    )
    assert read_pickle(written(array)) == [200, -1]


class Calls:
    """Pickles to the call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def touch(path):
    """What an attack would do here: leave a file."""
    import os

    return Calls(os.system, f"touch {path}")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_calls_are_refused(written, tmp_path, protocol):
    """Whatever they are hidden in; named, and not made."""
    sign = tmp_path / "executed"
    for evil in (touch(sign), {"imlist": [touch(sign)]}, Calls(eval, f"open({str(sign)!r}, 'w')")):
        data = pickle.dumps(evil, protocol)
        with pytest.raises(DatasetError, match=r"is rejected: it would call .*\.(system|eval), which a list of images"):
            read_pickle(written(data))
    assert not sign.exists()
    pickle.loads(pickle.dumps(touch(sign)))
    assert sign.exists()  # the attack is one


@pytest.mark.parametrize(
    "name",
    [
        *("builtins\neval", "builtins\ngetattr", "numpy\nload", "numpy\nmemmap", "numpy.core.multiarray\nfromfile"),
        *(
            "_codecs\ndecode",
            "copyreg\n_reconstructor",
            "offshelf.dataset.published.pickled\n_Type",
            "numpy\ndtype.type",
        ),
    ],
)
def test_other_names_are_refused(written, name):
    """Those near to what is allowed too, and ours."""
    with pytest.raises(DatasetError, match="it would call " + name.replace("\n", r"\.")):
        read_pickle(written(f"c{name}\n.".encode()))


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.array([{}, []], object), "it holds an array of 'O8'"),
        (np.array(["text"]), "it holds an array of 'U4'"),
        (np.zeros(1, [("a", "i4")]), "it holds an array of 'V4'"),
        (np.zeros(1, "datetime64[s]"), "it holds an array of 'M8'"),
    ],
)
def test_arrays_of_other_things(written, array, why):
    """Objects, above all."""
    with pytest.raises(DatasetError, match=why):
        read_pickle(written(pickle.dumps(array, 2)))


@pytest.mark.parametrize(
    "data",
    [
        b"cnumpy\ndtype\n}X\x09\x00\x00\x00_functionNsb.",  # the state of a stand-in
        b"cnumpy.core.multiarray\n_reconstruct\nN}X\x09\x00\x00\x00_functionNs\x86b.",  # its slots
        b"cnumpy\nndarray\n)R.",  # what is no function
        b"cnumpy\nndarray\n}X\x01\x00\x00\x00aNsb.",
        b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tR.",
        b"Pos\n.",  # something outside of the file
        b"\x82\x01.",  # a registered extension
        b"",
        b"<!DOCTYPE html>",
        pickle.dumps(CONTENT)[:-40],
    ],
)
def test_damage_and_tricks(written, data):
    """A sentence each."""
    with pytest.raises(DatasetError, match=r"gnd\.pkl is (not a pickle of plain data|rejected)") as error:
        read_pickle(written(data))
    assert "\n" not in str(error.value)


def test_array_that_lies_about_its_size(written):
    """Shape and bytes contradict each other."""
    data = pickle.dumps(np.arange(3, dtype=np.int8), 3)
    assert b"K\x03\x85" in data
    with pytest.raises(DatasetError, match="or is damaged: cannot reshape"):
        read_pickle(written(data.replace(b"K\x03\x85", b"K\x09\x85")))


def test_missing(tmp_path):
    """A copy that is incomplete."""
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        read_pickle(tmp_path / "gnd.pkl")


def test_stand_ins_are_not_the_things(written):
    """No name that is found leads to NumPy itself."""
    from offshelf.dataset.published import pickled

    assert all(type(one).__module__ in ("builtins", pickled.__name__) for one in pickled.STAND_INS.values())
    names = {argument for op, argument, _ in pickletools.genops(pickle.dumps(CONTENT, 2)) if op.name == "GLOBAL"}
    known = {f"{module} {name}" for module, name in pickled.STAND_INS}
    assert {name.replace("numpy._core", "numpy.core") for name in names} <= known
