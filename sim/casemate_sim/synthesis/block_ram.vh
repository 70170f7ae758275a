  // Body of Yosys's module DP16KD, which has ports and parameters only: the two modes that its
  // mapping uses for this hardware, see `mapped.py`, which refuses others. Either 512 rows of 36
  // bits, which port A writes by bytes of 9 and port B reads, or tables that both ports read, of 9
  // or 18 bits, through the output registers or not. Both clocks are one. Outputs begin with 0, and
  // stay while a port is not enabled.

  reg [17:0] content [0:1023];

  localparam [20479:0] initial_content = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};

  integer i;
  initial for (i = 0; i < 1024; i = i + 1) content[i] = initial_content[20*i +: 18];

  wire [9:0] row_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4};
  wire [9:0] row_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4};

  reg [17:0] out_a = 0, out_b = 0, late_a = 0, late_b = 0;
  always @(posedge CLKA) late_a <= out_a;
  always @(posedge CLKB) late_b <= out_b;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
          DOA4, DOA3, DOA2, DOA1, DOA0} = REGMODE_A == "OUTREG" ? late_a : out_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
          DOB4, DOB3, DOB2, DOB1, DOB0} = REGMODE_B == "OUTREG" ? late_b : out_b;

  generate
    if (DATA_WIDTH_A == 36) begin : rows
      wire [17:0] low = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7,
                         DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
      wire [17:0] high = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7,
                          DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
      wire [3:0] bytes = {ADA3, ADA2, ADA1, ADA0} & {4{CEA & WEA}};
      // What is read while it is written is anything: here what it was, every bit of it wrong.
      wire hit = |bytes && row_a[9:1] == row_b[9:1];
      always @(posedge CLKA) begin
        if (bytes[0]) content[{row_a[9:1], 1'b0}][8:0] <= low[8:0];
        if (bytes[1]) content[{row_a[9:1], 1'b0}][17:9] <= low[17:9];
        if (bytes[2]) content[{row_a[9:1], 1'b1}][8:0] <= high[8:0];
        if (bytes[3]) content[{row_a[9:1], 1'b1}][17:9] <= high[17:9];
        if (CEB) begin
          out_a <= content[{row_b[9:1], 1'b0}] ^ {18{hit}};
          out_b <= content[{row_b[9:1], 1'b1}] ^ {18{hit}};
        end
      end
    end else begin : tables
      always @(posedge CLKA)
        if (CEA) out_a <= DATA_WIDTH_A == 9 && ADA3 ? content[row_a] >> 9 : content[row_a];
      always @(posedge CLKB)
        if (CEB) out_b <= DATA_WIDTH_B == 9 && ADB3 ? content[row_b] >> 9 : content[row_b];
    end
  endgenerate
endmodule
