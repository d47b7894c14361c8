/* SPDX-License-Identifier: MIT */
/*
 * Serializers and deserializers: instances and classes to bytes and back.
 *
 * Two formats, by the names that the API gives them: "MI_XML" is CIM-XML (DSP0201, DSP0203) and
 * "MI_MOF_CIMV2_EXTV1" is MOF (DSP0004). The text is UTF-8 without a NUL behind it. Both directions
 * have the same limits, so that what was written can be read.
 *
 * Serializers have no state: the struct that a program holds names its format and nothing else.
 */
#ifndef HOST_SERIAL_SERIAL_H
#define HOST_SERIAL_SERIAL_H

#include <MI.h>

enum serial_format { SERIAL_NONE, SERIAL_XML, SERIAL_MOF };

/* SERIAL_NONE for a name that is no format. Names are compared with regard to case. */
enum serial_format serial_format_of(const char *name);

/* (serializer.c) What stands behind mi_clientFT_V1. */
extern const MI_SerializerFT serializer_ft;

/* A serializer of that format in *ret_serializer, or NOT_SUPPORTED for a name that is no format. */
MI_Result serializer_new(const char *format, MI_Serializer *ret_serializer);

/* (deserializer.c) The same for deserializers. */
extern const MI_DeserializerFT deserializer_ft;
MI_Result deserializer_new(const char *format, MI_Deserializer *ret_deserializer);

#endif
