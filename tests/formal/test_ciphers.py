"""Every round of the presets' ciphers is that of FIPS 197.

The cores of ``aes_cores`` have the rounds of the standard between the same registers. That both do
the same in every cycle, whatever keys and blocks come in, is an induction: the registers of ours
are functions of those of the standard's, from one cycle to the next, and so round by round. The
key expansion is shown in the same way.
"""

import pytest
from aes_cores import CipherSpec, ExpansionSpec
from casemate.aes import field, products
from casemate.aes.cipher import Direction
from casemate.config import PRESETS
from casemate_sim.formal import SWEEPING, ProofError, assert_formal

# A look-up in a table needs more conflicts than ABC would spend on it unasked, and MiniSat (-c)
# needs far fewer of them than ABC's own solver; where a register holds a product of what another
# one holds, equal signals are only found over two cycles (-F).
PATIENT = SWEEPING.replace("&scorr", "&scorr -c -F 2 -C 10000")

# The smallest is proven by default, as it takes 40 seconds; those of the others take minutes each,
# of which `make formal` has an hour.
VERIFY, DEEP = [pytest.mark.verify], [pytest.mark.verify, pytest.mark.deep]
CORES = {
    ("tiny", "data", Direction.ENCRYPT): [],
    ("tiny", "data", Direction.DECRYPT): VERIFY,
    ("latency", "data", Direction.ENCRYPT): VERIFY,
    ("latency", "data", Direction.DECRYPT): VERIFY,
    ("ecp5", "data", Direction.ENCRYPT): VERIFY,
    ("ecp5", "data", Direction.DECRYPT): VERIFY,
    ("ecp5", "tweak", Direction.ENCRYPT): VERIFY,
    ("server", "data", Direction.ENCRYPT): DEEP,
    ("server", "data", Direction.DECRYPT): DEEP,
}


def used(name):
    """Return the constructions of a preset's ciphers, each with the directions that are needed."""
    config = PRESETS[name]
    return {(config.data_cipher, config.aes_bits, side) for side in Direction} | {
        (config.tweak_cipher, config.aes_bits, Direction.ENCRYPT)}


def core(name, cipher, direction):
    config = PRESETS[name]
    return getattr(config, f"{cipher}_cipher"), config.aes_bits, direction


def specification(name, cipher, direction, rounds=None):
    config, aes_bits, _ = core(name, cipher, direction)
    return CipherSpec(config, aes_bits=aes_bits, direction=direction, rounds=rounds)


def prove(specification, engine=PATIENT):
    assert_formal(specification, mode="prove", engine=engine, rows_as_registers=True, timeout=1800)


def test_the_list_has_every_cipher_of_every_preset():
    listed = {core(*each) for each in CORES}
    assert listed == set().union(*(used(name) for name in PRESETS))


@pytest.mark.parametrize(("name", "cipher", "direction"), [
    pytest.param(*each, id=f"{each[0]}-{each[1]}-{each[2].name.lower()}", marks=marks)
    for each, marks in CORES.items()])
def test_every_round_of_the_presets_ciphers_is_proven(name, cipher, direction):
    prove(specification(name, cipher, direction))


@pytest.mark.parametrize("aes_bits", [128, pytest.param(256, marks=pytest.mark.verify)])
def test_the_key_expansion_is_proven(aes_bits):
    prove(ExpansionSpec(aes_bits=aes_bits), SWEEPING)


def test_a_wrong_constant_of_the_key_expansion_would_be_found():
    with pytest.raises(ProofError, match="assertion fails"):
        prove(ExpansionSpec(aes_bits=128, factor=3), SWEEPING)


@pytest.mark.verify
def test_one_wrong_entry_of_a_table_would_be_found(monkeypatch):
    table = list(field.sbox())
    table[0x53] ^= 1
    monkeypatch.setattr(field, "sbox", lambda: tuple(table))
    with pytest.raises(ProofError, match="assertion fails"):
        prove(specification("tiny", "data", Direction.ENCRYPT))


@pytest.mark.verify
@pytest.mark.parametrize("direction", Direction)
def test_one_wrong_bit_of_a_product_would_be_found(direction, monkeypatch):
    terms, wrong = products._terms, 11 if direction is Direction.DECRYPT else 3

    def broken(coefficient, *, inverse):
        (place, shift, bits), *others = terms(coefficient, inverse=inverse)
        return ((place, shift, bits ^ 0x20 if coefficient == wrong else bits), *others)

    monkeypatch.setattr(products, "_terms", broken)
    with pytest.raises(ProofError, match="assertion fails"):
        prove(specification("ecp5", "data", direction, rounds=2))
