"""The script of a package that makes Vivado write an IP-XACT component."""

from __future__ import annotations

from collections.abc import Iterator

from casemate_sim.exported import CLOCK, RESET, Exported

__all__ = ["packaging_script"]

_BUSES = {"s_axi": "xilinx.com:interface:aximm_rtl:1.0",
          "m_axi": "xilinx.com:interface:aximm_rtl:1.0",
          "s_axil": "xilinx.com:interface:aximm_rtl:1.0"}
"""AXI4 and AXI4-Lite have one definition; Vivado tells them apart by the ports."""

_LEVELS = {"irq": "interrupt"}
"""Outputs that are interfaces of one signal."""

_HEAD = """\
# Packages the engine for Vivado's IP catalogue. In a shell:
#
#     vivado -mode batch -source package_ip.tcl -tclargs FOLDER [PART]
#
# FOLDER takes the component; PART is any that the installation knows.
if {{[llength $argv] < 1 || [llength $argv] > 2}} {{
    error "give the folder that takes the component and, if wanted, a part"
}}
set here [file dirname [file normalize [info script]]]
set folder [file normalize [lindex $argv 0]]
set part [lindex $argv 1]
if {{$part eq ""}} {{
    set part [lindex [get_parts] 0]
}}

create_project -in_memory -part $part
add_files -norecurse [file join $here {source}]
add_files -norecurse -fileset constrs_1 [file join $here {xdc}]
set_property USED_IN {{out_of_context synthesis implementation}} [get_files {xdc_name}]
set_property top {top} [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir $folder -vendor casemate -library engine -taxonomy /UserIP \\
    -import_files -set_current true -force
set core [ipx::current_core]
set_property name {top} $core
set_property version {version} $core
set_property display_name {{Casemate, configuration {config}}} $core
set_property description {{Memory-encryption engine, configuration {digest}}} $core
"""

_TAIL = """
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
puts "component: [file join $folder component.xml]"
"""


def _interfaces(exported: Exported) -> Iterator[str]:
    yield "# Clock and reset."
    yield f"ipx::infer_bus_interface {CLOCK} xilinx.com:signal:clock_rtl:1.0 $core"
    yield f"ipx::infer_bus_interface {RESET} xilinx.com:signal:reset_rtl:1.0 $core"
    yield f"set reset [ipx::get_bus_interfaces {RESET} -of_objects $core]"
    yield "set_property value ACTIVE_HIGH [ipx::add_bus_parameter POLARITY $reset]"
    for bus, kind in _BUSES.items():
        ports = [name for name in exported.ports if name.startswith(f"{bus}_")]
        if not ports:
            continue
        yield f"\n# {'AXI4-Lite' if bus.endswith('l') else 'AXI4'}: {bus}."
        yield f"ipx::infer_bus_interface {{{' '.join(ports)}}} {kind} $core"
        yield f"ipx::associate_bus_interfaces -busif {bus} -clock {CLOCK} -reset {RESET} $core"
    for name, kind in _LEVELS.items():
        if name in exported.ports:
            yield "\n# Active high, a level."
            yield f"ipx::infer_bus_interface {name} xilinx.com:signal:{kind}_rtl:1.0 $core"


def _maps(exported: Exported) -> Iterator[str]:
    config = exported.config
    data = config.regions[0]
    blocks = [("s_axi", "memory", data.base, data.size)]
    if any(name.startswith("s_axil_") for name in exported.ports):
        blocks.append(("s_axil", "register", 0, 1 << exported.ports["s_axil_awaddr"].width))
    yield "\n# What lies behind each subordinate, and what the manager reaches."
    for bus, usage, base, size in blocks:
        yield f"set map [ipx::add_memory_map {bus} $core]"
        yield f"set_property slave_memory_map_ref {bus} [ipx::get_bus_interfaces {bus} " \
              "-of_objects $core]"
        yield f"set block [ipx::add_address_block {usage} $map]"
        yield f"set_property base_address {base:#x} $block"
        yield f"set_property range {size} $block"
        yield f"set_property usage {usage} $block"
    yield "set space [ipx::add_address_space m_axi $core]"
    yield "set_property master_address_space_ref m_axi [ipx::get_bus_interfaces m_axi " \
          "-of_objects $core]"
    yield f"set_property range {1 << config.address_bits} $space"


def packaging_script(exported: Exported, *, version: str, source: str, xdc: str) -> str:
    """Return the Tcl script.

    Parameters
    ----------
    exported:
        The engine.
    version:
        Of the component.
    source, xdc:
        Verilog and constraints, relative to the script.
    """
    head = _HEAD.format(source=source, xdc=xdc, xdc_name=xdc.rpartition("/")[2],
                        top=exported.name, version=version, config=exported.config.name,
                        digest=exported.config.digest)
    return "\n".join([head, *_interfaces(exported), *_maps(exported), _TAIL])
