"""The Merkle tree, against published vectors and against the definition in RFC 6962."""

from hashlib import sha256

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from audit.tree import (
    EMPTY,
    Frontier,
    Node,
    consistency_path,
    continues,
    includes,
    inclusion_path,
    leaf_hash,
    span_hash,
)

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
"""Of the vectors of certificate-transparency and its Go client (`merkle/testdata`)."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def grown(contents: list[bytes]) -> tuple[Frontier, dict[Node, bytes]]:
    """A tree and all its nodes."""
    frontier, nodes = Frontier(), {}
    for seq, content in enumerate(contents):
        for level, node in enumerate(frontier.add(leaf_hash(content))):
            nodes[level, seq >> level] = node
    return frontier, nodes


def defined(contents: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if len(contents) < 2:
        return leaf_hash(contents[0]) if contents else sha256(b"").digest()
    split = 1
    while split * 2 < len(contents):
        split *= 2
    return sha256(b"\x01" + defined(contents[:split]) + defined(contents[split:])).digest()


def proof(nodes: dict[Node, bytes], path: list[tuple[int, int]]) -> list[bytes]:
    return [span_hash(nodes, span) for span in path]


contents = st.lists(st.binary(max_size=4), min_size=1, max_size=70, unique=True)


def test_roots_are_those_that_were_published() -> None:
    assert Frontier().root() == EMPTY
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size, root in enumerate(ROOTS, 1):
        assert grown(LEAVES[:size])[0].root().hex() == root


@pytest.mark.parametrize("place", INCLUSION)
def test_inclusion_proofs_are_those_that_were_published(place: tuple[int, int]) -> None:
    index, size = place
    found = proof(grown(LEAVES)[1], inclusion_path(index, size))
    assert [each.hex() for each in found] == INCLUSION[place]
    assert includes(bytes.fromhex(ROOTS[size - 1]), size, index, leaf_hash(LEAVES[index]), found)


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_consistency_proofs_are_those_that_were_published(sizes: tuple[int, int]) -> None:
    old, new = sizes
    found = proof(grown(LEAVES)[1], consistency_path(old, new))
    assert [each.hex() for each in found] == CONSISTENCY[sizes]
    assert continues(bytes.fromhex(ROOTS[old - 1]), old, bytes.fromhex(ROOTS[new - 1]), new, found)


@given(contents)
def test_a_tree_that_grows_has_the_root_of_the_definition_and_goes_on_from_its_peaks(
    leaves: list[bytes],
) -> None:
    frontier, nodes = grown(leaves)
    assert frontier.root() == defined(leaves)
    for size in range(1, len(leaves) + 1):
        assert span_hash(nodes, (0, size)) == defined(leaves[:size])


@given(contents, st.data())
def test_a_leaf_is_proven_and_no_other_leaf_place_size_root_or_proof_is(
    leaves: list[bytes], data: st.DataObject
) -> None:
    _, nodes = grown(leaves)
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    root, leaf = defined(leaves[:size]), leaf_hash(leaves[index])
    path = proof(nodes, inclusion_path(index, size))
    assert includes(root, size, index, leaf, path)
    assert not includes(root, size, index, leaf_hash(b"altered"), path)
    assert not includes(leaf_hash(b"altered"), size, index, leaf, path)
    assert not includes(root, size, index, leaf, [*path, leaf])
    assert not includes(root, size, size, leaf, path)
    if path:
        assert not includes(root, size, index, leaf, path[:-1])
        broken = data.draw(st.integers(0, len(path) - 1))
        altered = [leaf_hash(b"altered") if place == broken else each for place, each in enumerate(path)]
        assert not includes(root, size, index, leaf, altered)
        for other in range(size):
            assert includes(root, size, other, leaf, path) == (other == index)


@given(contents, st.data())
def test_a_tree_is_proven_to_begin_with_another_and_not_with_one_that_was_rewritten(
    leaves: list[bytes], data: st.DataObject
) -> None:
    _, nodes = grown(leaves)
    new = data.draw(st.integers(1, len(leaves)))
    old = data.draw(st.integers(1, new))
    path = proof(nodes, consistency_path(old, new))
    first, second = defined(leaves[:old]), defined(leaves[:new])
    assert continues(first, old, second, new, path)
    assert not continues(defined([*leaves[: old - 1], b"rewritten"]), old, second, new, path)
    assert not continues(first, old, defined([*leaves[: new - 1], b"rewritten"]), new, path)
    assert not continues(first, old, second, new, [*path, first])
    assume(path)
    assert not continues(first, old, second, new, path[:-1])
    assert not continues(first, old, second, new, [leaf_hash(b"altered"), *path[1:]])


def test_what_no_tree_has_cannot_be_proven() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="leaf"):
            inclusion_path(index, size)
    for old, new in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="trees"):
            consistency_path(old, new)
        assert not continues(EMPTY, old, EMPTY, new, [])
    assert not continues(EMPTY, 3, EMPTY, 4, [])


def test_a_proof_has_no_more_hashes_than_the_tree_has_levels() -> None:
    for size in (1, 2, 3, 1_000, 1 << 40, (1 << 40) + 1):
        for index in (0, size // 2, size - 1):
            assert len(inclusion_path(index, size)) <= (size - 1).bit_length()
