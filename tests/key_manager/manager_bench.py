"""The key manager, Verilated, with ciphers and data path played by Python."""

from casemate.config import CipherConfig, KeyManagerConfig, TreeConfig, preset
from casemate.engine.keys import KeyName
from casemate.key_manager.layouts import KeyCommand, KeyResult, KeyState
from casemate.key_manager.manager import KeyManager
from casemate_sim.component import NativeComponent
from casemate_sim.model.keys import derive_domain_keys, derive_engine_key

ITERATIVE = CipherConfig(pipelined=False)
DOMAINS = 64
CONFIG = preset("tiny").replace(
    domain_slots=4, keys=KeyManagerConfig(domains=DOMAINS),
    tree=TreeConfig(cache_sets=2, cache_ways=2, walks=2, write_backs=1, pad_cipher=ITERATIVE))
PORTS = {"data": "K1", "tweak": "K2", "tag": "K3", "node": "K4"}
ERASE_ROUND = 15
LOADING = 130  # cycles from K3's last round key to its hash key, about


class ManagerBench:
    """One cycle at a time; ``keys`` is what the ciphers hold, by port and slot."""

    def __init__(self, config=CONFIG, **substitutes):
        self.config = config
        self.dut = NativeComponent(KeyManager(config, **substitutes))
        self.restart()

    def restart(self):
        self.dut.restart()
        self.cycle, self.inputs, self.loading = 0, {}, 0
        self.keys = {(port, slot): {} for port in PORTS
                     for slot in range(1 if port == "node" else self.config.domain_slots)}
        self.alerts = 0

    def step(self):
        """One cycle; return the outputs."""
        out = self.dut.step(self.inputs | {"loading": self.loading > 0, "engine_ready": 1})
        self.cycle += 1
        self.loading = max(0, self.loading - 1)
        self.alerts += out["alert"]
        for port in PORTS:
            if out[f"{port}_key_valid"]:
                number, value = out[f"{port}_key_round"], out[f"{port}_key_value"]
                slot = out[f"{port}_key_key"]
                if number == ERASE_ROUND:
                    assert value == 0
                    assert not any(self.keys[port, slot].values())
                else:
                    self.keys[port, slot][number] = value
                if port == "tag":
                    self.loading = LOADING if value and number == self.config.aes_rounds else 20
        return out

    def until(self, condition, patience=2000):
        """Step until a condition of the outputs; return the cycles, the last one included."""
        for count in range(1, patience + 1):
            if condition(self.step()):
                return count
        raise AssertionError(f"not within {patience} cycles")

    def boot(self, root=bytes(range(32)), nonce=bytes(range(16))):
        """Feed root key and nonce; return the cycles until it is ready."""
        self.root, self.nonce = root, nonce
        self.inputs |= {"root_key": int.from_bytes(root, "little"), "root_key_valid": 1}
        start = self.cycle
        for word in range(4):
            self.inputs |= {"entropy": int.from_bytes(nonce[4 * word:4 * word + 4], "little"),
                            "entropy_valid": 1}
            self.until(lambda out: out["entropy_ready"])
        self.inputs["entropy_valid"] = 0
        self.until(lambda out: out["root_key_ready"])
        self.inputs |= {"root_key_valid": 0, "root_key": 0}
        self.until(lambda out: out["state"] == KeyState.READY.value)
        return self.cycle - start

    def command(self, command, domain, mode=(1, 1)):
        """Carry out a command; return result, outcome and cycles."""
        self.inputs |= {"command_command": KeyCommand[command].value, "command_domain": domain,
                        "command_encrypt": mode[0], "command_authenticate": mode[1],
                        "command_valid": 1}
        cycles = self.until(lambda out: out["command_ready"])
        self.inputs["command_valid"] = 0
        out = self.step()
        return KeyResult(out["outcome_result"]).name, out, cycles

    def access(self, domain, channel="read", patience=2000):
        """One burst: return its slot (None if refused), and the cycles that it waited."""
        self.inputs |= {f"{channel}_domain": domain, f"{channel}_valid": 1}
        waited = 0
        while self.step()[f"{channel}_wait"]:
            waited += 1
            assert waited < patience
        self.inputs |= {f"{channel}_taken": 1}
        out = self.step()
        self.inputs |= {f"{channel}_taken": 0, f"{channel}_valid": 0}
        return (out[f"{channel}_slot"] if out[f"{channel}_known"] else None), waited

    def holds(self, slot, domain, generation):
        """Whether a slot's ciphers hold the keys of a domain."""
        keys = derive_domain_keys(self.root, self.nonce, domain, generation, self.config.aes_bits)
        return all(self.key(port, slot) == getattr(keys, name)
                   for port, name in PORTS.items() if name != "K4")

    def key(self, port, slot):
        """The key whose round keys a cipher holds."""
        rounds = self.keys[port, slot]
        value = rounds[0] | rounds[1] << 128
        return (value & (1 << self.config.aes_bits) - 1).to_bytes(
            self.config.aes_bits // 8, "little")

    def engine_key(self):
        return derive_engine_key(self.root, self.nonce, self.config.aes_bits)

    def erased(self, slot):
        """Whether all round keys of a slot were written and are zero."""
        return all(len(self.keys[port, slot]) == self.config.aes_rounds + 1
                   and not any(self.keys[port, slot].values())
                   for port in PORTS if port != "node")


assert {name.name for name in KeyName} == set(PORTS.values())
