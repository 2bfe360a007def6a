/* SPDX-License-Identifier: GPL-2.0 */
/* The device of a preserved piece. */
#ifndef TWIN_PIECE_H
#define TWIN_PIECE_H

#include "twin.h"

int twin_piece_register(const struct twinkernel_preserved_piece *piece);
void twin_piece_unregister_all(void);

#endif
