"""The package of an engine: what its files say, and whether other tools take them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import yaml
from casemate.config import preset
from casemate_sim.bench import small_fused_config
from casemate_sim.exported import Exported, Language, engine_ports, export_engine
from casemate_sim.package.contents import package_files
from casemate_sim.package.folder import PackageError, write_folder
from casemate_sim.package.fusesoc import core_name
from casemate_sim.toolchain import toolchain


@pytest.fixture(scope="module")
def tiny() -> Exported:
    return export_engine(preset("tiny"))


@pytest.fixture(scope="module")
def fused() -> Exported:
    """An engine with every kind of port; its text is not needed."""
    config = small_fused_config()
    return Exported(config, "casemate", Language.VERILOG, "module casemate; endmodule\n",
                    engine_ports(config))


@pytest.fixture(scope="module")
def folder(tiny: Exported, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("package") / "ip"
    write_folder(path, package_files(tiny, mhz=80))
    return path


def fusesoc(folder: Path, *arguments: str) -> str:
    tools = toolchain().environment
    tools["PYTHONWARNINGS"] = "ignore"
    done = subprocess.run(
        [sys.executable, "-c", "from fusesoc.main import main; main()", "--cores-root",
         str(folder), *arguments],
        capture_output=True, text=True, check=False, env=tools, cwd=folder.parent, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_manifest_names_every_other_file(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(manifest["files"]) | {"manifest.json"} == there
    for name, known in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert known == {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    assert manifest["config"]["digest"] == preset("tiny").digest
    assert manifest["mhz"] == 80


def test_the_same_engine_gives_the_same_bytes(tiny: Exported) -> None:
    again = export_engine(preset("tiny"))
    assert package_files(again, mhz=80) == package_files(tiny, mhz=80)


def test_the_readme_names_every_file_and_region(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "README.md":
            assert f"`{path.relative_to(folder).as_posix()}`" in text
    for region in preset("tiny").regions:
        assert f"| {region.name} | `{region.base:#x}` |" in text


def test_fusesoc_reads_the_core_file(folder: Path, tiny: Exported) -> None:
    name = core_name(tiny, "0.1.0").rpartition(":")[0]
    shown = fusesoc(folder, "core", "show", name)
    assert "default" in shown
    assert preset("tiny").digest in shown
    core = yaml.safe_load((folder / "casemate.core").read_text().removeprefix("CAPI=2:\n"))
    named = [next(iter(each)) if isinstance(each, dict) else each
             for files in core["filesets"].values() for each in files["files"]]
    assert all((folder / each).is_file() for each in named)


def test_verilator_lints_by_the_core_file(folder: Path) -> None:
    assert "Warning" not in fusesoc(folder, "run", "--target", "lint", "casemate:engine:tiny")


def test_lint_by_the_core_file_sees_a_fault(tiny: Exported, tmp_path: Path) -> None:
    files = package_files(tiny, mhz=80)
    broken = files["casemate.v"].replace(b"endmodule", b"assign nowhere = 1'b0;\nendmodule", 1)
    write_folder(tmp_path / "ip", files | {"casemate.v": broken})
    with pytest.raises(AssertionError, match="nowhere"):
        fusesoc(tmp_path / "ip", "run", "--target", "lint", "casemate:engine:tiny")


def test_names_of_configurations_become_names_of_cores(tiny: Exported) -> None:
    odd = Exported(preset("tiny").replace(name="my engine:2"), "casemate", Language.VERILOG, "", {})
    assert core_name(odd, "1.2.3") == "casemate:engine:my_engine_2:1.2.3"


def test_every_port_of_a_bus_is_in_its_interface(fused: Exported) -> None:
    script = package_files(fused, mhz=100)["vivado/package_ip.tcl"].decode()
    found = {}
    for names, kind in re.findall(r"^ipx::infer_bus_interface \{(.*?)\} (\S+) \$core$", script,
                                  re.MULTILINE):
        assert kind == "xilinx.com:interface:aximm_rtl:1.0"
        found[names.split()[0].rpartition("_")[0]] = set(names.split())
    assert set(found) == {"s_axi", "m_axi", "s_axil"}
    for bus, names in found.items():
        assert names == {name for name in fused.ports if name.startswith(f"{bus}_")}
        assert f"-busif {bus} -clock clk -reset rst" in script
    assert "infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0" in script


def run_tcl(path: Path, before: str, *arguments: str) -> str:
    """Run a script with commands of its own for what only Vivado has."""
    if shutil.which("tclsh") is None:
        pytest.skip("needs tclsh")
    main = path.parent / "main.tcl"
    main.write_text(f"{before}\nset argv {{{' '.join(arguments)}}}\nsource {path}\n")
    return subprocess.run(["tclsh", main], capture_output=True, text=True, check=True).stdout


VIVADO = """
foreach name {create_project add_files set_property get_files current_fileset update_compile_order
              get_parts close_project} {
    proc $name {args} "puts \\[list $name {*}\\$args\\]; return $name"
}
namespace eval ipx {
    foreach name {package_project current_core infer_bus_interface get_bus_interfaces
                  add_bus_parameter associate_bus_interfaces add_memory_map add_address_block
                  add_address_space create_xgui_files update_checksums check_integrity save_core} {
        proc $name {args} "puts \\[list $name {*}\\$args\\]; return $name"
    }
}
"""
"""Every command of Vivado that the script may use, each of which says how it was called."""


def test_the_vivado_script_runs_as_tcl(fused: Exported, tmp_path: Path) -> None:
    write_folder(tmp_path / "ip", package_files(fused, mhz=100))
    said = run_tcl(tmp_path / "ip/vivado/package_ip.tcl", VIVADO, str(tmp_path / "out"))
    assert f"add_files -norecurse {tmp_path}/ip/vivado/../casemate.v" in said
    assert f"package_project -root_dir {tmp_path}/out" in said
    assert "set_property range 65536 add_address_block" in said
    assert said.splitlines()[-1] == f"component: {tmp_path}/out/component.xml"


def test_the_vivado_script_says_how_it_is_called(fused: Exported, tmp_path: Path) -> None:
    write_folder(tmp_path / "ip", package_files(fused, mhz=100))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_tcl(tmp_path / "ip/vivado/package_ip.tcl", VIVADO)
    assert "give the folder" in failed.value.stderr


def test_constraints(fused: Exported, tiny: Exported) -> None:
    files = package_files(fused, mhz=110)
    timing = files["constraints/casemate.sdc"].decode()
    assert "create_clock -name clk -period 9.091 [get_ports clk]" in timing
    assert "set_false_path -from [get_ports tamper]" in timing
    assert 'FREQUENCY PORT "clk" 110 MHZ;' in files["constraints/casemate.lpf"].decode()
    assert b"tamper" not in package_files(tiny, mhz=110)["constraints/casemate.xdc"]


def test_headers_compile_and_agree_with_the_configuration(fused: Exported, tmp_path: Path) -> None:
    write_folder(tmp_path / "ip", package_files(fused, mhz=100))
    data, leaves, *_ = fused.config.regions
    (tmp_path / "check.c").write_text(f"""
        #include "casemate_memory.h"
        #include "casemate_registers.h"
        _Static_assert(CASEMATE_DATA_BASE == {data.base} && CASEMATE_DATA_SIZE == {data.size}, "");
        _Static_assert(CASEMATE_LEAVES_BASE == {leaves.base}, "");
        _Static_assert(CASEMATE_GRANULE_BYTES == 256 && CASEMATE_ID == 0, "");
    """)
    subprocess.run([toolchain().compiler, "-x", "c++", "-D_Static_assert=static_assert",
                    "-fsyntax-only", "-I", tmp_path / "ip", tmp_path / "check.c"], check=True)


def test_an_older_package_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    kept = tmp_path / "notes"
    kept.mkdir()
    (kept / "letter.txt").write_text("dear")
    with pytest.raises(PackageError, match="notes: exists and is no package"):
        write_folder(kept, {"a": b""})
    assert (kept / "letter.txt").read_text() == "dear"
    old = b'{"schema": "casemate.package/1"}'
    write_folder(tmp_path / "ip", {"manifest.json": old, "gone": b"1"})
    write_folder(tmp_path / "ip", {"manifest.json": old, "sub/new": b"2"})
    assert sorted(path.name for path in (tmp_path / "ip").iterdir()) == ["manifest.json", "sub"]
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
