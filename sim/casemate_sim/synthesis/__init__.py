"""From a component to a placed and routed netlist, with open tools: how large, how fast, and why.

``devices``: what can be targeted, and with which tools. ``pins``: the component between two shift
registers. ``flow``: Yosys and nextpnr, each result kept in the cache. ``netlist``: whose cell is
whose. ``timing``: critical paths in the names of the source. ``report``: all of it for people and
programs. ``budget``: what a configuration may use. ``script``: builds of whole boards.
"""
