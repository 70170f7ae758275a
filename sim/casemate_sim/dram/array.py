"""The DRAM's content behind one read and one write port."""

from amaranth import ClockSignal, Instance, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ArraySignature", "MemoryArray", "NativeArray"]


class ArraySignature(wiring.Signature):
    """Ports of a DRAM array from the controller's point of view.

    Parameters
    ----------
    data_bits:
        Width of a word in bits.
    address_bits:
        Width of a word's number.

    Members
    -------
    read_enable, read_address
        Read a word; its data are on `read_data` in the next cycle and stay there until the next
        read.
    write_enable, write_address, write_data, write_strobe
        Write the bytes of a word whose strobe is set.
    """

    def __init__(self, *, data_bits: int, address_bits: int):
        super().__init__({
            "read_enable": Out(1), "read_address": Out(address_bits), "read_data": In(data_bits),
            "write_enable": Out(1), "write_address": Out(address_bits),
            "write_data": Out(data_bits), "write_strobe": Out(data_bits // 8),
        })
        self.data_bits = data_bits
        self.address_bits = address_bits


class MemoryArray(wiring.Component):
    """A small array as an Amaranth memory, for Amaranth's own simulator; addresses wrap.

    Parameters
    ----------
    signature:
        Widths.
    depth:
        Words, a power of two.
    """

    port: wiring.PureInterface

    def __init__(self, signature: ArraySignature, *, depth: int):
        self.content = memory.MemoryData(shape=signature.data_bits, depth=depth, init=[])
        super().__init__({"port": In(signature)})

    def elaborate(self, platform) -> Module:
        """Build the memory."""
        m = Module()
        m.submodules.memory = store = memory.Memory(self.content)
        write = store.write_port(granularity=8)
        read = store.read_port()
        m.d.comb += [
            write.addr.eq(self.port.write_address), write.data.eq(self.port.write_data),
            write.en.eq(self.port.write_strobe & self.port.write_enable.replicate(
                len(self.port.write_strobe))),
            read.addr.eq(self.port.read_address), read.en.eq(self.port.read_enable),
            self.port.read_data.eq(read.data),
        ]
        return m


class NativeArray(wiring.Component):
    """The array in C++: a sparse map of pages that also has a back door (see `native`).

    Parameters
    ----------
    signature:
        Widths.

    Members
    -------
    handle : In(64)
        The C++ object of this simulation.
    port : In(ArraySignature)
        Ports.
    """

    handle: Signal
    port: wiring.PureInterface

    def __init__(self, signature: ArraySignature):
        super().__init__({"handle": In(64), "port": In(signature)})

    def elaborate(self, platform) -> Module:
        """Instantiate ``casemate_dram_array`` of native/casemate_native.sv."""
        m = Module()
        port = self.port
        m.submodules.array = Instance(
            "casemate_dram_array", p_DATA_BITS=len(port.read_data), i_clk=ClockSignal(),
            i_handle=self.handle, i_read_enable=port.read_enable,
            i_read_address=port.read_address, o_read_data=port.read_data,
            i_write_enable=port.write_enable, i_write_address=port.write_address,
            i_write_data=port.write_data, i_write_strobe=port.write_strobe)
        return m
