"""What the data path and the keeper of the metadata say to each other."""

from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import DOMAIN_BITS, EngineConfig
from ..modes.gmac import GmacPort

__all__ = [
    "Access", "Failure", "MetadataSignature", "Outcome", "access_layout", "answer_layout",
    "close_layout", "failure_layout", "node_gmac_port", "node_request_layout", "node_row_layout",
]


class Access(enum.Enum, shape=1):
    """What a line is wanted for."""

    READ = 0
    """Its metadata, once."""
    WRITE = 1
    """Its metadata, and its leaf stays in the cache until the write is closed or abandoned."""


class Outcome(enum.Enum, shape=3):
    """Answer to an access."""

    GRANTED = 0
    """The domain owns the granule; version, tag and valid bit are verified."""
    DENIED = 1
    """The domain does not own the granule (and did not or could not claim it)."""
    EXHAUSTED = 2
    """A write is refused because the line's version is the highest that there is."""
    FAILED = 3
    """The leaf or a node above it did not verify."""
    BUS_ERROR = 4
    """DRAM answered the fetch of the leaf or of a node above it with an error."""


class Failure(enum.Enum, shape=2):
    """What went wrong with a leaf or node."""

    MAC = 0
    """Its MAC does not match."""
    BUS_ERROR = 1
    """DRAM answered a fetch, or the write of a changed leaf or node, with an error."""
    EXHAUSTED = 2
    """Its counter is the highest that there is."""


def access_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of an access. ``id`` names the line in flight; ``claim`` counts in writes only."""
    return data.StructLayout({
        "id": config.entry_id_bits, "access": Access, "line": config.line_bits,
        "domain": DOMAIN_BITS, "claim": 1,
    })


def answer_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of an answer. ``version``, ``tag``, ``line_valid`` mean nothing unless granted.

    ``response`` is the AXI response of a bus error. ``version`` is the one that the line has now:
    a write seals under the next one.

    ``hint``: granted by a leaf that is not verified yet. What was hinted is either confirmed, or
    refused by a second answer, which has ``hinted``.
    """
    return data.StructLayout({
        "id": config.entry_id_bits, "outcome": Outcome, "response": 2,
        "version": config.leaf.version_bits, "tag": config.leaf.tag_bits, "line_valid": 1,
        "hint": 1, "hinted": 1,
    })


def close_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of the end of a write; with ``store`` the line gets a version and a tag, and is valid.

    ``place`` is the line's place in its leaf.
    """
    return data.StructLayout({
        "entry": range(config.write_entries), "place": range(config.leaf.lines), "store": 1,
        "version": config.leaf.version_bits, "tag": config.leaf.tag_bits,
    })


def failure_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a leaf's (level 0) or node's failure, at its byte address.

    ``fatal``: a change was lost with it, so that nothing can be trusted any more.
    """
    return data.StructLayout({
        "failure": Failure, "level": range(max(2, config.levels)),
        "address": config.address_bits, "fatal": 1,
    })


def node_request_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a leaf or node to be fetched or written by ``entry``, at a byte address."""
    return data.StructLayout({
        "entry": range(max(2, config.node_entries)), "address": config.address_bits,
    })


def node_row_layout(config: EngineConfig) -> data.StructLayout:
    """Layout of a row of a leaf or node on its way from or to DRAM.

    Rows of an entry come in order; ``response`` is DRAM's RRESP, not used on the way to DRAM.
    """
    return data.StructLayout({
        "entry": range(max(2, config.node_entries)), "row": range(config.rows_per_line),
        "response": 2, "data": 8 * config.row_bytes,
    })


def node_gmac_port(config: EngineConfig) -> GmacPort:
    """Port to the unit that makes the MACs of leaves and nodes; the tag of sealed ones is 1."""
    return GmacPort(lanes=config.lanes, keys=1, entries=config.node_entries, tag=1)


class MetadataSignature(wiring.Signature):
    """The data path's view of the metadata.

    Members
    -------
    access: Out(stream.Signature(access_layout(config)))
        Each is answered, in any order. A write may be opened only when no older access of its line
        is unanswered and no older write of its line is open; a read of a line only when no older
        write of the line is open. An ID has at most one access open.
    answer: In(stream.Signature(answer_layout(config), always_ready=True))
        Always accepted. The owner is claimed in the cycle of a granted write's answer. A read of a
        valid line may get a hint first.
    confirm: In(read_entries)
        Reads whose hint is verified: a pulse, in a cycle behind that of the hint. It stands for
        their answer.
    close: Out(stream.Signature(close_layout(config), always_ready=True))
        Ends a write that was granted, exactly once. Without ``store`` nothing changes.
    fetch: In(stream.Signature(node_request_layout(config)))
        Leaves and nodes to be read from DRAM: 64 bytes each.
    row: Out(stream.Signature(node_row_layout(config)))
        What DRAM returned.
    store: In(stream.Signature(node_request_layout(config)))
        Leaves and nodes to be written to DRAM.
    drain: In(stream.Signature(node_row_layout(config)))
        Their rows, in the order of ``store``. A row may come before or after its request.
    stored: Out(1), stored_entry: Out(range(node_entries)), stored_response: Out(2)
        DRAM's response to an entry's write, in a cycle with ``stored``.
    gmac: In(node_gmac_port(config)), gmac_loaded: Out(1)
        With a shared GMAC: the port of leaves and nodes; K4 is there.
    """

    def __init__(self, config: EngineConfig):
        super().__init__({
            "access": Out(stream.Signature(access_layout(config))),
            "answer": In(stream.Signature(answer_layout(config), always_ready=True)),
            "confirm": In(config.read_entries),
            "close": Out(stream.Signature(close_layout(config), always_ready=True)),
            "fetch": In(stream.Signature(node_request_layout(config))),
            "row": Out(stream.Signature(node_row_layout(config))),
            "store": In(stream.Signature(node_request_layout(config))),
            "drain": In(stream.Signature(node_row_layout(config))),
            "stored": Out(1), "stored_entry": Out(range(max(2, config.node_entries))),
            "stored_response": Out(2),
            **({"gmac": In(node_gmac_port(config)), "gmac_loaded": Out(1)}
               if config.tree is not None and config.tree.shared_gmac else {}),
        })
