"""The description of the registers as a C header."""

from __future__ import annotations

from .description import Block

__all__ = ["c_header"]


def c_header(block: Block) -> str:
    """Return the text of a C header: an offset for each register, shift and mask for each field."""
    prefix = block.name.upper()
    lines = [
        f"/* Registers of {block.name}: offsets from the base of its AXI4-Lite port, in bytes. "
        "Generated. */",
        f"#ifndef {prefix}_REGISTERS_H", f"#define {prefix}_REGISTERS_H",
    ]
    for register in block:
        name = f"{prefix}_{register.name.upper()}"
        lines += ["", f"/* {register.text} */", f"#define {name} {register.offset:#05x}u"]
        for field in register.fields:
            part = f"{name}_{field.name.upper()}"
            lines += [f"#define {part}_SHIFT {field.low}u",
                      f"#define {part}_MASK {field.mask:#010x}u"]
            lines += [f"#define {part}_{value.upper()} {number}u"
                      for value, number in field.values]
    return "\n".join([*lines, "", f"#endif /* {prefix}_REGISTERS_H */", ""])
