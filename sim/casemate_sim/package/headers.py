"""C headers of a package: the memory map; the registers have their own generator."""

from __future__ import annotations

from casemate.config import LINE_BYTES, EngineConfig

__all__ = ["memory_header"]


def memory_header(config: EngineConfig) -> str:
    """Return the C header of an engine's memory map: base and size of each region, in bytes."""
    lines = [f"/* Memory map of the configuration {config.digest}: addresses and sizes in DRAM, in "
             "bytes. Generated. */",
             "#ifndef CASEMATE_MEMORY_H", "#define CASEMATE_MEMORY_H", "",
             "/* What is encrypted as a whole, and what belongs to one domain. */",
             f"#define CASEMATE_LINE_BYTES {LINE_BYTES}u",
             f"#define CASEMATE_GRANULE_BYTES {LINE_BYTES * config.leaf.lines}u", ""]
    for region in config.regions:
        name = f"CASEMATE_{region.name.upper().replace(' ', '_')}"
        lines += [f"#define {name}_BASE {region.base:#x}ull",
                  f"#define {name}_SIZE {region.size:#x}ull"]
    return "\n".join([*lines, "", "#endif /* CASEMATE_MEMORY_H */", ""])
