"""The engine with fuses and entropy: from a blank device to a boot, and what stops one."""

import random

import numpy as np
import pytest
from casemate.alert.layouts import Policy
from casemate.config import LINE_BYTES
from casemate.fuse.codes import FailurePolicy, KeySize, LifeCycle
from casemate.fuse.registers import Command, Result
from casemate.key_manager.layouts import KeyResult, KeyState
from casemate_sim.bench import small_fused_config
from casemate_sim.driver import Casemate, CommandError, DriverError
from casemate_sim.fuses.driver import FuseCommandError, Fuses
from casemate_sim.model.crypto import xts_encrypt
from casemate_sim.model.fuses import IDENTITY, SECRET, Device, boot, encode_device
from casemate_sim.model.keys import derive_domain_keys
from engine_bench import OKAY, SLVERR, EngineBench

FUSED = small_fused_config()
ROOT, SHARE = bytes(range(32)), bytes(range(100, 132))
DEVICE, SERIAL = b"a test device ..", b"00000001"


def image(state="production", *, key_size=128, policy="report", **options):
    named = {} if state == "blank" else {
        "device": DEVICE, "serial": SERIAL, "key_size": key_size, "policy": policy}
    keyed = {"root_key": ROOT} if state in ("provisioned", "production") else {}
    return encode_device(Device(life_cycle=state, **named, **keyed, **options))


@pytest.fixture(scope="module")
def built():
    return EngineBench(FUSED)


@pytest.fixture
def bench(built):
    built.word = lambda source=random.Random(5): source.getrandbits(32)
    built.restart()
    return built


def start(bench, words):
    bench.power_cycle(words)
    return Casemate(bench, FUSED)


def refused(bench, domain=5):
    return (bench.done(bench.read(domain, 0)) == (SLVERR, bytes(LINE_BYTES))
            and bench.done(bench.write(domain, 0, bytes(LINE_BYTES)))[0] == SLVERR)


def nonce_of(bench):
    """The words that follow those of the start-up test."""
    return b"".join(word.to_bytes(4, "little") for _, word in bench.drawn[1024:1028])


def stored_line(bench, engine, data):
    """Create domain 5 in mode xts, let it write line 3; return what is in DRAM."""
    engine.create(5, authenticate=False)
    assert bench.done(bench.write(5, 3, data))[0] == OKAY
    return bench.memory[3 * LINE_BYTES]


def encrypted(root, nonce, data):
    keys = derive_domain_keys(root, nonce, 5, 0, FUSED.aes_bits)
    line, tweak = (np.frombuffer(each, np.uint8).reshape(1, -1)
                   for each in (data, (3).to_bytes(16, "little")))
    return xts_encrypt(keys.K1, keys.K2, tweak, line).tobytes()


def test_a_device_boots_from_its_fuses_with_keys_that_are_new_each_time(bench):
    data, seen = bytes(range(64)), set()
    for _ in range(2):
        engine = start(bench, image())
        cycles = engine.wait_for_boot()
        assert 1024 < cycles <= 3000
        seen.add(stored := stored_line(bench, engine, data))
        assert stored == encrypted(ROOT, nonce_of(bench), data)
        fuses = Fuses(engine)
        assert (fuses.device, fuses.serial) == (DEVICE, SERIAL)
        assert fuses.life_cycle is LifeCycle.PRODUCTION
        assert engine.read("fuse_key_size")["word"] == KeySize.AES_128.value
        pins = bench.step()
        assert not pins["debug_enable"] and not pins["alert_fatal"]
    assert len(seen) == 2


def test_the_first_protected_access_comes_within_3000_cycles(bench):
    engine = start(bench, image())
    ready = engine.wait_for_boot()
    engine.create(5)
    assert bench.done(bench.write(5, 0, bytes(range(64))))[0] == OKAY
    assert bench.cycle <= 3000
    # Sensing of the fuses and start-up tests run side by side.
    tested = bench.drawn[1023][0]
    assert tested < 1030 and ready - tested <= 400
    print(f"boot: {ready} cycles, first access answered: {bench.cycle}")


@pytest.mark.parametrize("state", ["blank", "test", "return", "scrap"])
def test_a_device_without_a_root_key_refuses_every_access(bench, state):
    number = bench.read(5, 0)
    engine = start(bench, image(state, **{"debug": "returned"} if state == "return" else {}))
    number = bench.read(5, 0)
    Fuses(engine).wait_until_checked()
    assert bench.done(number) == (SLVERR, bytes(LINE_BYTES))
    assert refused(bench)
    assert engine.key_state is KeyState.ERASED
    with pytest.raises(CommandError) as error:
        engine.create(5)
    assert error.value.result is KeyResult.LOCKED
    status = engine.status
    assert status["engine_locked"] and not status["alert_fatal"]
    for _ in range(200):  # until everything is erased
        bench.step()
    assert bench.step()["debug_enable"] == (state in ("test", "return"))


def test_a_blank_device_is_provisioned_over_the_bus_and_nobody_reads_the_key(bench):
    secrets = {SHARE[at:at + 4] for at in range(0, 32, 4)}
    shown = set()

    def look(engine):
        for register in engine.registers.values():
            shown.add(bench.read32(register.offset).to_bytes(4, "little"))

    engine = start(bench, [])
    fuses = Fuses(engine)
    fuses.wait_until_checked()
    fuses.move(LifeCycle.TEST)
    with pytest.raises(FuseCommandError, match="move: refused"):
        fuses.move(LifeCycle.PRODUCTION)
    assert not fuses.state["ready"]
    engine = start(bench, bench.fuses.words)
    fuses = Fuses(engine)
    fuses.wait_until_checked()
    for _ in range(100):
        bench.step()
    assert bench.step()["debug_enable"] and fuses.life_cycle is LifeCycle.TEST
    fuses.personalise(DEVICE, SERIAL, key_size=KeySize.AES_128, policy=FailurePolicy.REPORT)
    fuses.provision(SHARE)
    look(engine)
    assert not bench.step()["debug_enable"]
    words = bench.fuses.words
    start_of = boot(words)
    assert start_of.life_cycle == "provisioned"
    root = start_of.root_key
    drawn = [word.to_bytes(4, "little") for _, word in bench.drawn[1024:]]
    shares = [bytes(a ^ b for a, b in zip(root[at:at + 4], SHARE[at:at + 4], strict=True))
              for at in range(0, 32, 4)]
    # Eight words that the device drew behind the nonce and the seed of the checks, in order.
    first = drawn.index(shares[0])
    assert drawn[first:first + 8] == shares and first >= 4
    engine = start(bench, words)
    engine.wait_for_boot()
    look(engine)
    data = bytes(range(64))
    assert stored_line(bench, engine, data) == encrypted(root, nonce_of(bench), data)
    Fuses(engine).move(LifeCycle.PRODUCTION)
    look(engine)
    assert refused(bench) and engine.key_state is KeyState.ERASED
    assert not engine.status["alert_fatal"]
    engine = start(bench, bench.fuses.words)
    engine.wait_for_boot()
    assert Fuses(engine).life_cycle is LifeCycle.PRODUCTION
    secrets |= {root[at:at + 4] for at in range(0, 32, 4)} | set(shares)
    assert not shown & secrets


def damaged(kind):
    words = image()
    if kind == "two bits of the secret":
        words[SECRET.base + 3] ^= 0b11
    elif kind == "another root key":
        other = encode_device(Device(life_cycle="production", device=DEVICE, serial=SERIAL,
                                     key_size=128, root_key=bytes(32 - 1) + b"\1"))
        words[SECRET.base:SECRET.base + 8] = other[SECRET.base:SECRET.base + 8]
    elif kind == "another identity":
        words[IDENTITY.base] = encode_device(Device(
            life_cycle="test", device=b"not this device!", serial=SERIAL))[IDENTITY.base]
    elif kind == "an older state":
        words[2] = 0  # production, but provisioned is what remains
        words[1] = 0
    return words


@pytest.mark.parametrize("kind", ["two bits of the secret", "another root key",
                                  "another identity", "an older state"])
def test_a_tampered_image_is_refused(bench, kind):
    words = damaged(kind)
    expected = boot(words)
    number = None
    engine = start(bench, words)
    number = bench.read(5, 0)
    assert bench.done(number) == (SLVERR, bytes(LINE_BYTES))
    assert refused(bench) and engine.key_state is KeyState.ERASED
    pins = bench.step()
    if expected.outcome == "alarm":
        assert pins["alert_fatal"] and not pins["debug_enable"]
        with pytest.raises(DriverError, match="raised the alarm"):
            Fuses(engine).wait_until_checked()
        with pytest.raises(FuseCommandError) as error:
            Fuses(engine).command(Command.MOVE, 4)
        assert error.value.result is Result.REFUSED
    else:  # back in the state of tests, whose start erases the secret
        assert kind == "an older state" and expected.outcome == "erase"
        Fuses(engine).wait_until_checked()
        assert all(word == (1 << 39) - 1
                   for word in bench.fuses.words[SECRET.base:SECRET.base + 10])


def test_entropy_that_does_not_change_stops_the_boot(bench):
    bench.word = lambda: 0x1234_5678
    engine = start(bench, image())
    number = bench.read(5, 0)
    assert bench.done(number) == (SLVERR, bytes(LINE_BYTES))
    assert Fuses(engine).state["entropy_alert"] and bench.step()["alert_fatal"]
    assert engine.key_state is KeyState.ERASED
    assert engine.status["engine_locked"]


def test_entropy_is_taken_only_when_somebody_waits_for_it(bench):
    engine = start(bench, image())
    engine.wait_for_boot()
    taken = len(bench.drawn)
    for _ in range(3000):
        bench.step()
    # Start-up tests, nonce, seed of the checks, and one that waits.
    assert taken <= len(bench.drawn) <= 1024 + 4 + 1 + 1


def test_keys_that_are_too_small_for_the_fuses_are_refused(bench):
    engine = start(bench, image(key_size=256))
    assert bench.done(bench.read(5, 0)) == (SLVERR, bytes(LINE_BYTES))
    assert Fuses(engine).state["key_refused"] and bench.step()["alert_fatal"]
    assert engine.key_state is KeyState.ERASED


@pytest.mark.parametrize(("fused", "weakest"), [
    ("report", Policy.REPORT_ONLY), ("lock-domain", Policy.LOCK_DOMAIN),
    ("lock-engine", Policy.LOCK_ENGINE)])
def test_software_cannot_weaken_the_policy_of_the_fuses(bench, fused, weakest):
    engine = start(bench, image(policy=fused))
    engine.wait_for_boot()
    if weakest is Policy.REPORT_ONLY:
        engine.set_policy(Policy.REPORT_ONLY)
    else:
        with pytest.raises(DriverError, match="policy is locked"):
            engine.set_policy(Policy.REPORT_ONLY)
    assert engine.policy is weakest
    engine.create(5)
    bench.done(bench.write(5, 0, bytes(LINE_BYTES)))
    bench.memory[0] = b"\1" * LINE_BYTES
    assert bench.done(bench.read(5, 0)) == (SLVERR, bytes(LINE_BYTES))
    for _ in range(20):
        bench.step()
    assert engine.status["engine_locked"] == (weakest is Policy.LOCK_ENGINE)
    assert engine.status["slot_locked"] == (weakest is not Policy.REPORT_ONLY)


def test_tamper_erases_the_keys_and_the_fuses(bench):
    engine = start(bench, image())
    engine.wait_for_boot()
    engine.create(5)
    assert bench.done(bench.write(5, 0, bytes(LINE_BYTES)))[0] == OKAY
    for _ in range(2):
        bench.step({"tamper": 1})
    assert refused(bench) and engine.key_state is KeyState.ERASED
    for _ in range(3000):
        bench.step()
    assert bench.step()["alert_fatal"]
    assert all(word == (1 << 39) - 1 for word in bench.fuses.words[SECRET.base:SECRET.base + 10])
    bench.power_cycle()
    for _ in range(2000):
        bench.step()
    assert bench.step()["alert_fatal"] and not bench.step()["debug_enable"]
