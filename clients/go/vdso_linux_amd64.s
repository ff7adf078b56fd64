//go:build gc && !clockbound_syscall

#include "textflag.h"

// func callVDSO(function uintptr, id clock, time *syscall.Timespec) int32
//
// C preserves BX and BP. The assembler marks a function that writes to SP, and the runtime then
// does not unwind it.
TEXT ·callVDSO(SB), NOSPLIT, $0-28
	MOVQ function+0(FP), AX
	MOVQ id+8(FP), DI
	MOVQ time+16(FP), SI
	MOVQ SP, BX
	MOVQ SI, SP
	ANDQ $~15, SP
	CALL AX
	MOVQ BX, SP
	MOVL AX, ret+24(FP)
	RET
