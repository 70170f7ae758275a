// A RAM in LUTs whose highest address bits are not used: they get the highest one that is.
//
// Constant pins of a LUT that is a RAM are wired, each from far away, because nothing can be folded
// into what it holds; a signal that goes to the LUT anyway is there already. The words that are used
// move to other places; so it is done only where all of them begin as zero.
(* techmap_celltype = "TRELLIS_DPR16X4" *)
module lut_ram (input [3:0] DI, WAD, RAD, input WRE, WCK, output [3:0] DO);
    parameter WCKMUX = "WCK";
    parameter WREMUX = "WRE";
    parameter [63:0] INITVAL = 64'bx;
    parameter [3:0] _TECHMAP_CONSTMSK_RAD_ = 0;
    parameter [3:0] _TECHMAP_CONSTMSK_WAD_ = 0;
    parameter [3:0] _TECHMAP_CONSTVAL_RAD_ = 0;
    parameter [3:0] _TECHMAP_CONSTVAL_WAD_ = 0;

    localparam [3:0] UNUSED = _TECHMAP_CONSTMSK_RAD_ & _TECHMAP_CONSTMSK_WAD_;
    localparam integer HIGHEST = UNUSED[2:1] == 2'b11 ? 0 : UNUSED[2] ? 1 : 2;

    function zeros(input [63:0] words);
        integer place;
        begin
            zeros = 1;
            for (place = 0; place < 64; place = place + 1)
                if (words[place] === 1'b1)
                    zeros = 0;
        end
    endfunction

    wire _TECHMAP_FAIL_ = !UNUSED[3] || UNUSED[0] || !zeros(INITVAL)
        || (_TECHMAP_CONSTVAL_RAD_ & UNUSED) !== (_TECHMAP_CONSTVAL_WAD_ & UNUSED);

    wire [3:0] read, write;
    genvar place;
    generate
        for (place = 0; place < 4; place = place + 1) begin : pins
            assign read[place] = UNUSED[place] ? RAD[HIGHEST] : RAD[place];
            assign write[place] = UNUSED[place] ? WAD[HIGHEST] : WAD[place];
        end
    endgenerate

    TRELLIS_DPR16X4 #(.WCKMUX(WCKMUX), .WREMUX(WREMUX), .INITVAL(64'b0)) _TECHMAP_REPLACE_ (
        .DI(DI), .WAD(write), .RAD(read), .WRE(WRE), .WCK(WCK), .DO(DO));
endmodule
