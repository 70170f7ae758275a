"""A device from blank to scrap: what each state of life opens, and what is refused."""

from itertools import pairwise
from random import Random

import pytest
from casemate.fuse.codes import MARKS, LifeCycle
from casemate.fuse.registers import Command, Result, Step
from casemate_sim.fuses.faults import judge
from casemate_sim.fuses.scenarios import DRAWN, KEY, SHARE, device_in, torn_device
from casemate_sim.model.fuse_words import ALL_ONES, encode_word
from casemate_sim.model.fuses import CONFIGURATION, IDENTITY, LIFE_CYCLE, SECRET, boot

BOOT_LIMIT = 800
STATES = ("blank", "test", "provisioned", "production", "return", "scrap")


def share(device, content=SHARE):
    for at in range(0, len(content), 4):
        word = int.from_bytes(content[at:at + 4], "little")
        assert device.command(Command.SHARE, data=word) is Result.DONE


@pytest.mark.parametrize("state", STATES)
def test_what_each_state_opens(device, state):
    device.load(device_in(state, erased=state == "return"), KEY)
    outputs = device.start()
    assert judge(outputs, state) == "right"
    assert device.state(outputs) is LifeCycle[state.upper()]
    assert outputs["keys"] == (state in ("provisioned", "production"))
    assert outputs["debug"] == (state in ("test", "return"))
    assert (outputs["identity"] != 0) == (state != "blank")
    assert 300 < outputs["ready_at"] <= BOOT_LIMIT


def test_a_device_returns_without_a_debugger_if_policy_says_never(device):
    device.load(device_in("return", debug="never", erased=True))
    outputs = device.start()
    assert outputs["ready"] and not outputs["debug"]


def test_the_root_key_is_held_until_taken_and_comes_once(device):
    device.load(device_in("production"), KEY)
    device.off()
    outputs = device.run(500, key_ready=0)
    assert outputs["ready"] and outputs["held"] and outputs["keys"] == 0
    outputs = device.run(500, key_ready=0)
    assert outputs["held"] and not outputs["key_wrong"]
    device.run(1)
    assert not device.run(1)["held"]
    assert device.run(5000)["keys"] == 1


@pytest.mark.parametrize("state", ["test", "return", "scrap"])
def test_a_secret_is_erased_before_a_debugger_gets_in(device, state):
    device.load(device_in(state, secret=True), KEY)
    assert boot(device_in(state, secret=True)).outcome == "erase"
    outputs = device.start(600)
    assert not outputs["ready"] and not outputs["opened"]
    outputs = device.run(900)
    assert outputs["ready"] and outputs["debug"] == (state != "scrap")
    assert not outputs["exposed"] and outputs["keys"] == 0
    assert device.look()[SECRET.base:SECRET.end] == [ALL_ONES] * 10


def test_an_erase_that_fails_opens_nothing(device):
    device.load(device_in("return", secret=True), KEY)
    outputs = device.start(600)
    outputs = device.run(900, fail=1)
    assert judge(outputs, "failed erase") == "alarm" and not outputs["opened"]


def test_from_blank_to_scrap(device, seed):
    random = Random(seed)
    device.load(device_in("blank"))
    content = device_in("test")
    device.start()
    assert device.command(Command.MOVE, 0) is Result.DONE
    assert device.command(Command.MOVE, 0) is Result.REFUSED
    outputs = device.start()
    assert device.state(outputs) is LifeCycle.TEST and outputs["debug"]
    for part in (IDENTITY, CONFIGURATION):
        for address in range(part.base, part.base + part.words):
            word = content[address] & 0xFFFF_FFFF
            assert device.command(Command.PROGRAM, address, word) is Result.DONE
        assert device.command(Command.LOCK, part.base) is Result.DONE
    assert device.look() == content
    device.start()
    share(device)
    assert not device.run(1)["debug"]
    drawn = [random.getrandbits(32) for _ in range(8)]
    key = bytes(a ^ b for a, b in zip(
        SHARE, b"".join(word.to_bytes(4, "little") for word in drawn), strict=True))
    device.expect(key)
    assert device.command(Command.PROVISION, entropy=drawn) is Result.DONE
    outputs = device.run(10)
    assert not outputs["ready"] and not outputs["held"] and outputs["erase"]
    assert boot(device.look()).root_key == key
    for state, mark in (("provisioned", 2), ("production", 3)):
        outputs = device.start()
        assert device.state(outputs) is LifeCycle[state.upper()]
        assert outputs["keys"] == 1 and not outputs["key_wrong"]
        assert device.command(Command.MOVE, mark) is Result.DONE
    outputs = device.start(1600)
    assert device.state(outputs) is LifeCycle.RETURN and outputs["debug"]
    assert not outputs["exposed"]
    assert device.command(Command.MOVE, 4) is Result.DONE
    outputs = device.start(1600)
    assert device.state(outputs) is LifeCycle.SCRAP and not outputs["debug"]


@pytest.mark.parametrize("state", STATES)
def test_every_other_command_is_refused_and_changes_nothing(device, state, seed):
    random = Random(seed)
    image = device_in(state, erased=state == "return")
    device.load(image, KEY)
    device.start()
    forward = {"blank": 0, "provisioned": 2, "production": 3}.get(state)
    for kind in Command:
        for address in range(34):
            moves = kind is Command.MOVE and (
                address == forward or (address == 4 and state != "scrap"))
            shares = kind is Command.SHARE and state == "test"
            if not moves and not shares:
                data = random.choice((0, ALL_ONES & 0xFFFF_FFFF, random.getrandbits(32),
                                      MARKS[address % 5]))
                assert device.command(kind, address, data) is Result.REFUSED, (kind, address)
    assert judge(device.run(10), state) == "right"
    assert device.look() == image


def test_shares_are_refused_while_identity_or_configuration_are_open(device):
    device.load(device_in("test", key_size=None))
    device.start()
    assert device.command(Command.SHARE, data=1) is Result.REFUSED
    assert device.command(Command.PROVISION) is Result.REFUSED


def test_too_few_and_too_many_shares(device):
    device.load(device_in("test"), KEY)
    device.start()
    share(device, SHARE[:28])
    assert device.command(Command.PROVISION) is Result.REFUSED
    share(device, SHARE[28:])
    assert device.command(Command.SHARE, data=1) is Result.REFUSED
    assert device.command(Command.PROVISION) is Result.DONE
    assert boot(device.look()).root_key == KEY


def test_programming_that_fails(device):
    device.load(device_in("test", device=None, serial=None, key_size=None))
    device.start()
    assert device.command(Command.PROGRAM, IDENTITY.base, 3, fail=1) is Result.FAILED
    assert device.command(Command.PROGRAM, IDENTITY.base, 3) is Result.DONE
    assert device.command(Command.LOCK, IDENTITY.base, fail=1) is Result.FAILED
    outputs = device.run(10)
    assert not outputs["ready"] and not outputs["debug"]


def test_provisioning_that_fails_is_erased_at_the_next_start(device):
    device.load(device_in("test"), KEY)
    device.start()
    share(device)
    assert device.command(Command.PROVISION, fail=1) is Result.FAILED
    assert not device.run(10)["held"]
    outputs = device.start(1600)
    assert device.state(outputs) is LifeCycle.TEST and outputs["keys"] == 0
    assert not outputs["exposed"]


def test_without_entropy_there_is_no_root_key(device):
    device.load(device_in("test"), KEY)
    device.start()
    share(device)
    with pytest.raises(TimeoutError, match="PROVISION has no result"):
        device.command(Command.PROVISION, entropy_valid=0)
    assert device.look()[SECRET.base:SECRET.end] == [0] * 10


@pytest.mark.parametrize("part", [IDENTITY, CONFIGURATION, LIFE_CYCLE])
def test_a_change_behind_its_back_is_found_while_it_runs(device, part, seed):
    image = device_in("production")
    device.load(image, KEY)
    assert judge(device.start(), "start") == "right"
    # The macro now gives other words: two bits of one that is checked.
    outputs = device.run(2000, garble=0b11)
    assert judge(outputs, "check") == "alarm"


def test_a_state_of_life_that_is_not_in_the_fuses_is_found_while_it_runs(device):
    device.load(device_in("production"), KEY)
    device.start()
    device.force("life", LifeCycle.PROVISIONED.value)
    assert judge(device.run(2000), "check") == "alarm"


def test_checks_come_at_intervals_of_the_entropy(device):
    def times(word):
        device.load(device_in("production"), KEY)
        device.off()
        device.run(360, entropy=word)
        steps = [device.step(device.run(1, entropy=word)) for _ in range(6000)]
        return [at for at in range(1, 6000) if steps[at] is Step.BEGIN
                and steps[at - 1] is Step.RUN]

    first, second = times(0x1234_5679), times(0x9ABC_DEF0)
    assert len(first) > 8 and first != second
    gaps = {b - a for a, b in pairwise(first)}
    assert len(gaps) > 6 and max(gaps) - min(gaps) > 64


@pytest.mark.parametrize("cycle", [1, 30, 240, 366, 367, 500])
def test_tamper_erases_registers_and_fuses(device, cycle):
    device.load(device_in("production"), KEY)
    device.off()
    device.run(cycle, key_ready=0)
    device.run(1, key_ready=0, tamper=1)
    outputs = device.run(1, key_ready=0)
    assert not outputs["held"] and outputs["alert"] and outputs["erase"]
    assert judge(device.run(800, key_ready=0), "tamper") == "alarm"
    assert device.look()[SECRET.base:SECRET.end] == [ALL_ONES] * 10
    assert judge(device.start(), "after tamper") == "alarm"


def test_tamper_in_the_middle_of_a_command(device):
    device.load(device_in("test"), KEY)
    device.start()
    share(device)
    device.run(1, command_valid=1, command=Command.PROVISION.value)
    device.run(200)
    device.run(1, tamper=1)
    assert not device.run(1)["held"]
    assert judge(device.run(900), "tamper") == "alarm"
    assert device.look()[SECRET.base:SECRET.end] == [ALL_ONES] * 10


def test_a_macro_that_never_answers(device):
    device.load(device_in("production"), KEY)
    device.off()
    assert judge(device.run(200, drop_read=1), "waiting") == "closed"
    assert judge(device.run(200, drop_read=1), "waited") == "alarm"


def test_commands_are_refused_after_an_alarm(device):
    image = device_in("production")
    image[IDENTITY.base] ^= 3
    device.load(image, KEY)
    assert judge(device.start(), "two bits") == "alarm"
    assert device.command(Command.MOVE, 4) is Result.REFUSED


@pytest.mark.parametrize("state", ["provisioned", "production"])
@pytest.mark.parametrize("part", [IDENTITY, CONFIGURATION, SECRET])
def test_an_open_partition_or_a_forged_one_gives_no_key(device, state, part):
    for words in ([0] * (part.end - part.base), None):
        image = device_in(state)
        if words is None:
            image[part.base] = encode_word(0x1234_5678)
        else:
            image[part.base:part.end] = words
        device.load(image, KEY)
        assert judge(device.start(), part.name) == "alarm"


@pytest.mark.parametrize("marks", [(0, 1), (1, 0, 1), (1, 1, 1, 0, 2), (2,), (1, 1, 1, 3)])
def test_marks_that_say_nothing_clear(device, marks):
    image = device_in("production")
    for place in range(5):
        kind = marks[place] if place < len(marks) else 0
        image[place] = encode_word([0, MARKS[place], MARKS[place] ^ 1, 0xFFFF_FFFF][kind])
    device.load(image, KEY)
    assert judge(device.start(), str(marks)) == "alarm"
    assert boot(image).outcome == "alarm"


def test_the_drawn_words_are_what_the_scenarios_say():
    assert KEY[:4] == bytes(a ^ b for a, b in zip(
        SHARE[:4], DRAWN.to_bytes(4, "little"), strict=True))


@pytest.mark.parametrize("state", STATES[1:])
def test_a_mark_in_which_power_was_lost_is_finished_at_the_next_start(device, state, seed):
    random = Random(seed)
    number, mark = STATES.index(state) - 1, encode_word(MARKS[STATES.index(state) - 1])
    bits = [bit for bit in range(39) if mark >> bit & 1]
    for count in (0, 1, 2, 3, len(bits) // 2, len(bits) - 2, len(bits) - 1, len(bits)):
        image = torn_device(state)
        old = boot([0 if place == number else word for place, word in enumerate(image)])
        image[number] = sum(1 << bit for bit in random.sample(bits, count))
        device.load(image, KEY)
        expected = boot(image)
        outputs = device.start(2300)
        if 1 < count < len(bits) - 1:
            assert (expected.outcome, expected.life_cycle) == ("finish", state)
            assert judge(outputs, state) == "closed" and outputs["erase"]
            assert not outputs["opened"] and outputs["keys"] == 0 and not outputs["held"]
            assert not outputs["result_valid"]
            assert device.look()[number] == mark
            outputs = device.start(2300)
        entered = state if count > 1 else old.life_cycle
        assert judge(outputs, state) == "right"
        assert device.state(outputs) is LifeCycle[entered.upper()]
        assert not outputs["exposed"] and not outputs["key_wrong"]
        assert outputs["keys"] == (entered in ("provisioned", "production"))


def test_a_torn_mark_that_does_not_follow_is_the_alarm(device):
    torn = [word & 0xFFFF for word in map(encode_word, MARKS)]
    for changes in ({1: torn[1]}, {0: torn[0]}, {3: torn[3], 4: torn[4]},
                    {2: torn[2] | 1 << 38}, {3: torn[2]}):
        image = device_in("production")
        for place, word in changes.items():
            image[place] = word
        device.load(image, KEY)
        assert boot(image).outcome == "alarm", changes
        assert judge(device.start(), str(changes)) == "alarm", changes


def test_the_mark_of_provisioned_is_finished_only_behind_a_complete_secret(device):
    image = torn_device("provisioned")
    image[SECRET.end - 1] = 0
    device.load(image, KEY)
    assert boot(image).outcome == "alarm"
    outputs = device.start()
    assert judge(outputs, "no secret") == "alarm" and not outputs["opened"]


def test_a_torn_mark_that_cannot_be_programmed_opens_nothing(device):
    image = torn_device("production")
    device.load(image, KEY)
    device.off()
    assert judge(device.run(1000, fail=1), "no programming") == "closed"
    assert device.look() == image
    device.start(1000)
    assert device.state(device.start()) is LifeCycle.PRODUCTION


@pytest.mark.parametrize("reading", [0, 1])
def test_a_mark_that_is_torn_in_one_of_two_readings_is_the_alarm(device, reading):
    # A glitch at the pins of the macro must not move a device to another state of life.
    image = device_in("production")
    mark = encode_word(MARKS[3])
    torn = sum(1 << bit for bit in [bit for bit in range(39) if mark >> bit & 1][:2])
    device.load(image, KEY)
    device.off()
    reads, before, struck = 0, Step.START, False
    for _ in range(600):
        now = reads == (4 if reading == 0 else 33) and before is Step.WAIT
        outputs = device.run(1, garble=torn if now else 0)
        step = device.step(outputs)
        reads += step is Step.READ and before is not Step.READ
        before, struck = step, struck or now
    assert struck and judge(outputs, "torn once") == "alarm"
    assert device.look() == image
