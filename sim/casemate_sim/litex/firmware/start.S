/* Entry of the ROM: stack, cleared variables, main; for interrupts there is trap. */
    .section .start, "ax"
    .globl start
start:
    la sp, stack_top
    la t0, trap
    csrw mtvec, t0
    la t0, variables
    la t1, variables_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  call main
3:  j 3b
