/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs in any page below 1 MiB, entered at its first byte in real mode by SIPI or by the firmware's warm
 * reset jump, CS = page / 16. The Linux x86 64-bit boot protocol wants an identity map, CS 0x10, data
 * segments 0x18, interrupts off, RSI = boot_params. launch.c fills the words at the end.
 */
	.section .rodata
	.globl twin_trampoline_begin, twin_trampoline_words, twin_trampoline_end
	.globl twin_trampoline_protected, twin_trampoline_long, twin_trampoline_gdt
	.globl twin_halt_begin, twin_halt_reached, twin_halt_end
	.balign 16
	.code16
twin_trampoline_begin:
	cli
	cld
	movw	%cs, %ax
	movw	%ax, %ds
	xorl	%ebx, %ebx
	movw	%ax, %bx
	shll	$4, %ebx		/* EBX: this page, all the way */
	lgdtl	(gdt_register - twin_trampoline_begin)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	*(protected_pointer - twin_trampoline_begin)
	.code32
twin_trampoline_protected:
	movw	$0x18, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movl	$0x20, %eax		/* CR4.PAE */
	movl	%eax, %cr4
	movl	(page_table - twin_trampoline_begin)(%ebx), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	rdmsr
	btsl	$8, %eax
	wrmsr
	movl	$0x80000011, %eax	/* CR0: PG, ET, PE; caches on */
	movl	%eax, %cr0
	ljmpl	*(long_pointer - twin_trampoline_begin)(%ebx)
	.code64
twin_trampoline_long:
	movl	%ebx, %ebx		/* the upper half is undefined until here */
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	leaq	0xff0(%rbx), %rsp
	movq	(entry - twin_trampoline_begin)(%rbx), %rax
	movq	(boot_params - twin_trampoline_begin)(%rbx), %rsi
	movl	$1, (reached - twin_trampoline_begin)(%rbx)
	jmp	*%rax
	.balign 16
twin_trampoline_gdt:
	.quad 0
	.quad 0x00cf9a000000ffff	/* 0x08: 32-bit code */
	.quad 0x00af9a000000ffff	/* 0x10: 64-bit code */
	.quad 0x00cf92000000ffff	/* 0x18: data */
	/* struct trampoline_words in launch.c */
	.balign 8
twin_trampoline_words:
protected_pointer:
	.long 0
	.word 0x08, 0
long_pointer:
	.long 0
	.word 0x10, 0
entry:	.quad 0
boot_params: .quad 0
page_table: .quad 0
reached: .long 0
	.word 0
gdt_register:
	.word 31
	.long 0
twin_trampoline_end:
	.byte 0

	.balign 16
	.code16
twin_halt_begin:
	cli
	movw	%cs, %ax
	movw	%ax, %ds
	movl	$1, (twin_halt_reached - twin_halt_begin)
1:	hlt
	jmp	1b
	.balign 4
twin_halt_reached:
	.long 0
twin_halt_end:
	.byte 0
	.section .note.GNU-stack,"",@progbits
