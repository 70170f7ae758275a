// Runs the example SoC: a clock, what its console prints, an end.
#include "Vcasemate_soc.h"
#include "verilated.h"

#include <cstdio>
#include <cstdlib>

double sc_time_stamp() { return 0; }

// Arguments: the most cycles. Prints the console; exit code 0 if the program ended with EOT.
// The last line on stderr is the number of cycles.
int main(int, char **arguments) {
    VerilatedContext context;
    Vcasemate_soc model{&context};
    const unsigned long limit = std::strtoul(arguments[1], nullptr, 10);
    bool ended = false;
    unsigned long cycle = 0;
    model.serial_source_ready = 1;
    model.serial_sink_valid = 0;
    for (; cycle < limit && !ended; cycle++) {
        model.sys_clk = 0;
        model.eval();
        if (model.serial_source_valid) {
            ended = model.serial_source_data == 4;
            if (!ended) std::putchar(model.serial_source_data);
            if (model.serial_source_data == '\n') std::fflush(stdout);
        }
        model.sys_clk = 1;
        model.eval();
    }
    std::fflush(stdout);
    std::fprintf(stderr, "%lu\n", cycle);
    return ended ? 0 : 1;
}
