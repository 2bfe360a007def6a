/* SPDX-License-Identifier: GPL-2.0 */
/* The heartbeat: a hundred times a second, towards the parent and towards every instance. */
#ifndef TWIN_HEARTBEAT_H
#define TWIN_HEARTBEAT_H

void twin_heartbeat_start(void);
void twin_heartbeat_stop(void);

#endif
