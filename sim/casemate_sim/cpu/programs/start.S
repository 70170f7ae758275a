# The first instructions, and where traps arrive. Both kinds of core run the same image: one with the
# privileged architecture's machine mode, and PicoRV32, which has interrupts of its own and ends up
# at 0x10 behind the first instruction.

    .option arch, +zicsr
    .section .start, "ax"
    .globl _start
_start:
    j start

    .org _start + 0x10
    # PicoRV32: q0 is the return address, q1 the interrupts that are pending.
    .insn r 0x0b, 4, 0, a0, x1, x0      # getq a0, q1
    .insn r 0x0b, 4, 0, a1, x0, x0      # getq a1, q0
    la sp, __trap_stack
    j trap_picorv32

start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la sp, __stack
    li t0, 0xf0000000
    lw t1, 20(t0)                       # Register.CORE
    bnez t1, picorv32

    la t1, trap_vector
    csrw mtvec, t1
    csrw mscratch, zero
    li t1, 1
    csrw 0xbc0, t1                      # VexRiscv's mask: interrupt 0, a write that failed
    li t1, 0x800
    csrw mie, t1
    csrsi mstatus, 8
    j clear

picorv32:
    .insn r 0x0b, 6, 3, x0, x0, x0      # maskirq: none is masked

clear:
    la t0, __bss_start
    la t1, __bss_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  call main
    call _exit

    .align 2
trap_vector:
    csrrwi t0, mscratch, 1
    bnez t0, 1f
    la sp, __trap_stack
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    j trap
1:  # A trap on the way to telling of one: what prints cannot be trusted any more.
    li t0, 0xf0000000
    li t1, 135
    sw t1, 4(t0)                        # Register.EXIT
    j .
