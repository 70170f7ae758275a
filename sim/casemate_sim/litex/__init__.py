"""The engine in a LiteX SoC, between the CPU's bus and LiteDRAM; needs the extra ``litex``.

``engine`` is the exported engine with LiteX's buses, ``lines`` turns accesses of a CPU into lines,
``memory`` puts both behind a cache and connects them to LiteDRAM: these are for any SoC. The other
modules are an example: ``stand_ins`` for fuses and entropy, ``soc``, its ``firmware``, and two
targets, ``simulation`` and ``ulx3s``. Nothing outside this package imports LiteX.
"""
