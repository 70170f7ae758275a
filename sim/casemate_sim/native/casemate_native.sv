// The simulation's doors to C++: DRAM content, the trace, an observer of the host's bus, and the root
// counters.
// `handle` is the address of the C++ object of this simulation, so that several can coexist.

package casemate_messages;
    import "DPI-C" function void casemate_failed(input string text);
endpackage

module casemate_dram_array #(parameter DATA_BITS = 128) (
    input  wire                     clk,
    input  wire [63:0]              handle,
    input  wire                     read_enable,
    input  wire [57:0]              read_address,
    output reg  [DATA_BITS-1:0]     read_data,
    input  wire                     write_enable,
    input  wire [57:0]              write_address,
    input  wire [DATA_BITS-1:0]     write_data,
    input  wire [DATA_BITS/8-1:0]   write_strobe
);
    import "DPI-C" function void casemate_dram_read(
        input longint handle, input longint address, output bit [DATA_BITS-1:0] data);
    import "DPI-C" function void casemate_dram_write(
        input longint handle, input longint address, input bit [DATA_BITS-1:0] data,
        input longint strobe);

    localparam BYTES_LOG2 = $clog2(DATA_BITS / 8);
    bit [DATA_BITS-1:0] word;

    // A read sees a write of the same cycle.
    always @(posedge clk) begin
        if (write_enable)
            casemate_dram_write(handle, 64'(write_address) << BYTES_LOG2, write_data,
                                64'(write_strobe));
        if (read_enable) begin
            casemate_dram_read(handle, 64'(read_address) << BYTES_LOG2, word);
            read_data <= word;
        end
    end
endmodule

module casemate_record_source (
    input  wire         clk,
    input  wire         rst,
    input  wire [63:0]  handle,
    input  wire         run,
    input  wire         ready,
    output reg          valid,
    output reg  [41:0]  line,
    output reg  [31:0]  distance,
    output reg          write,
    output reg          dependent,
    output reg          ended
);
    import "DPI-C" function int casemate_next_record(
        input longint handle, output longint line, output int distance, output int flags);

    longint next_line;
    int next_distance, next_flags, found;

    always @(posedge clk) begin
        if (rst) begin
            valid <= 0;
            ended <= 0;
        end else if (run && (!valid || ready)) begin
            found = casemate_next_record(handle, next_line, next_distance, next_flags);
            valid <= found[0];
            ended <= !found[0];
            line <= next_line[41:0];
            distance <= next_distance;
            write <= next_flags[0];
            dependent <= next_flags[1];
        end
    end
endmodule

module casemate_observer #(parameter DATA_BITS = 128) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire [63:0]          handle,
    input  wire [31:0]          arid,
    input  wire [63:0]          araddr,
    input  wire                 arvalid,
    input  wire                 arready,
    input  wire [31:0]          awid,
    input  wire [63:0]          awaddr,
    input  wire                 awvalid,
    input  wire                 awready,
    input  wire [31:0]          rid,
    input  wire [DATA_BITS-1:0] rdata,
    input  wire [1:0]           rresp,
    input  wire                 rlast,
    input  wire                 rvalid,
    input  wire                 rready,
    input  wire [31:0]          bid,
    input  wire [1:0]           bresp,
    input  wire                 bvalid,
    input  wire                 bready
);
    import "DPI-C" function void casemate_read_issued(
        input longint handle, input int id, input longint address);
    import "DPI-C" function void casemate_write_issued(
        input longint handle, input int id, input longint address);
    import "DPI-C" function void casemate_read_beat(
        input longint handle, input int id, input bit [DATA_BITS-1:0] data, input int response,
        input int last);
    import "DPI-C" function void casemate_write_answered(
        input longint handle, input int id, input int response);

    reg read_held, write_held;

    // An address counts from the cycle in which it is first on the bus; a response of the same
    // cycle comes after it.
    always @(posedge clk) begin
        if (rst) begin
            read_held <= 0;
            write_held <= 0;
        end else begin
            read_held <= arvalid && !arready;
            write_held <= awvalid && !awready;
            if (arvalid && !read_held) casemate_read_issued(handle, arid, araddr);
            if (awvalid && !write_held) casemate_write_issued(handle, awid, awaddr);
            if (rvalid && rready)
                casemate_read_beat(handle, rid, rdata, 32'(rresp), 32'(rlast));
            if (bvalid && bready) casemate_write_answered(handle, bid, 32'(bresp));
        end
    end
endmodule

module casemate_root_log (
    input  wire         clk,
    input  wire [63:0]  handle,
    input  wire         write,
    input  wire [31:0]  index,
    input  wire [63:0]  value
);
    import "DPI-C" function void casemate_root_written(
        input longint handle, input int index, input longint value);

    always @(posedge clk)
        if (write) casemate_root_written(handle, index, value);
endmodule
