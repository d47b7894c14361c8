/* SPDX-License-Identifier: MIT */
/* What the handles of serializers and deserializers hold: a mark of the kind, and the format. */
#ifndef HOST_SERIAL_HANDLE_H
#define HOST_SERIAL_HANDLE_H

#include "host/serial/serial.h"

/* The low byte is free for the format. */
#define SERIALIZER_MARK   ((MI_Uint64)0x6D69677365720000)
#define DESERIALIZER_MARK ((MI_Uint64)0x6D69676465730000)

/* SERIAL_NONE for a word that is not of that mark, which a zeroed handle is not. */
static inline enum serial_format serial_handle_format(MI_Uint64 word, MI_Uint64 mark)
{
    return word == (mark | SERIAL_XML)   ? SERIAL_XML
           : word == (mark | SERIAL_MOF) ? SERIAL_MOF
                                         : SERIAL_NONE;
}

#endif
