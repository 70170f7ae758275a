// A program's terminal and its end, on their way to C++.

module casemate_console (
    input  wire         clk,
    input  wire [63:0]  handle,
    input  wire         character,
    input  wire         finish,
    input  wire [31:0]  value
);
    import "DPI-C" function void casemate_character(input longint handle, input int value);
    import "DPI-C" function void casemate_finished(input longint handle, input int code);

    always @(posedge clk) begin
        if (character) casemate_character(handle, value);
        if (finish) casemate_finished(handle, value);
    end
endmodule
