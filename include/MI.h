/* SPDX-License-Identifier: MIT */
/*
 * MI.h - the MI (Management Infrastructure) API for providers and clients, in C99, C17 and C++.
 *
 * An independent implementation. Names, values, slot orders and layouts are those of the published
 * MI API (version 2, 8-bit MI_Char), so that a provider written for OMI compiles against it
 * unchanged and a compiled one can be loaded. tests/data/mi lists these facts one by one and
 * tests/table/mi_abi.awk asserts every one.
 *
 * How to read it:
 *   1  language and platform         6  contexts and the server     11 options
 *   2  versions and constants        7  providers and modules       12 application
 *   3  arrays, values, fields        8  operations and callbacks    13 client table
 *   4  declarations (rtti)           9  sessions                    14 lifecycle indications
 *   5  instances, classes, filters   10 operation results           15 short names, annotations
 *
 * Handles and tables. An object of the API is a small struct whose `ft` points to a table of
 * functions; the functions below call through it. Three rules hold for all of them unless the
 * comment at the function says otherwise:
 *   - They test the handle and its `ft` for NULL and nothing else, and then return
 *     MI_RESULT_INVALID_PARAMETER without touching any other argument. They do not test the slot:
 *     who hands out a table fills every slot of it.
 *   - A function that hands out another handle by value (MI_Application_New..., ..._Clone,
 *     ..._GetApplication, MI_Operation_GetSession) also zeroes that handle in this case, so that
 *     using it later fails with MI_RESULT_INVALID_PARAMETER too.
 *   - Handles of the form {reserved1, reserved2, ft} are stored by the caller and may be copied;
 *     their content identifies the object, their address means nothing.
 *
 * What begins with MI_PRIVATE_ or MI_Private_ serves this header alone.
 */
#ifndef MI_H
#define MI_H

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- 1. Language and platform ---------------------------------------------------------------- */

/* C linkage for one declaration. A variable declared with it is declared, not defined. */
#ifdef __cplusplus
#define MI_EXTERN_C extern "C"
#else
#define MI_EXTERN_C extern
#endif

/*
 * The const of what generated code declares: declarations (4) and the Const family of arrays and
 * fields (3). Who makes declarations at run time, as C++ bindings do, defines it as nothing.
 */
#ifndef MI_CONST
#define MI_CONST const
#endif

/* Calling conventions: there is only one on Linux. Kept since generated code spells them out. */
#define MI_CALL
#define MI_MAIN_CALL

/* A function that a library offers to those who load it, whatever -fvisibility says. */
#if defined(__GNUC__)
#define MI_EXPORT __attribute__((visibility("default")))
#else
#define MI_EXPORT
#endif
#define MI_IMPORT
#define MI_LINKAGE MI_EXPORT

/* `inline` is a keyword of C99 and C++ only; GNU C89 has its own spelling. */
#if defined(__cplusplus) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L)
#define MI_INLINE static inline
#elif defined(__GNUC__)
#define MI_INLINE static __inline__
#else
#define MI_INLINE static
#endif

#ifdef __cplusplus
#define MI_BEGIN_NAMESPACE                                                                         \
    namespace mi                                                                                   \
    {
#define MI_END_NAMESPACE }
#else
#define MI_BEGIN_NAMESPACE
#define MI_END_NAMESPACE
#endif

/* 64-bit literals; pedantic C++98 and C89 lack the suffix, hence the macro. */
#define MI_LL(X)  X##LL
#define MI_ULL(X) X##ULL

/* Number of elements of an array (not of a pointer). */
#define MI_COUNT(ARRAY) ((MI_Uint32)(sizeof(ARRAY) / sizeof((ARRAY)[0])))

#define MI_OFFSETOF(STRUCT, FIELD) offsetof(STRUCT, FIELD)

/*
 * Says that a parameter is unused on purpose. Providers define MI_UNUSED again for themselves,
 * which is no error only as long as the text is the same.
 */
#define MI_UNUSED(X)                 ((void)X)
#define MI_UNREFERENCED_PARAMETER(X) MI_UNUSED(X)

/* ---- 2. Versions and constants --------------------------------------------------------------- */

/*
 * Which revision of the API the includer is written for. Version 2 adds one slot at the end of
 * MI_ContextFT and nothing else, so a module of version 1 runs in a host of version 2.
 */
#ifndef MI_API_VERSION
#define MI_API_VERSION 2
#endif

#if MI_API_VERSION == 1
#define MI_MAJOR    1
#define MI_MINOR    0
#define MI_REVISION 0
#elif MI_API_VERSION == 2
#define MI_MAJOR    1
#define MI_MINOR    1
#define MI_REVISION 0
#else
#error "MI_API_VERSION must be 1 or 2"
#endif

/* 16 bits major, 8 bits minor, 8 bits revision. A host refuses a module that is newer than it. */
#define MI_MAKE_VERSION(MAJOR, MINOR, REVISION)                                                    \
    (((MI_Uint32)(MAJOR) << 16) | ((MI_Uint32)(MINOR) << 8) | (MI_Uint32)(REVISION))
#define MI_VERSION MI_MAKE_VERSION(MI_MAJOR, MI_MINOR, MI_REVISION)

/* Width of MI_Char: 1 is char (UTF-8). Type 2, wchar_t, is Windows' and not offered here. */
#ifndef MI_CHAR_TYPE
#define MI_CHAR_TYPE 1
#endif
#if MI_CHAR_TYPE != 1
#error "MI_CHAR_TYPE must be 1: MI_Char is char on Linux"
#endif
#define MI_T(STRING) STRING

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Scalars of CIM (DMTF DSP0004, "Intrinsic types"). MI_Boolean holds MI_TRUE or MI_FALSE; anything
 * but zero counts as true when read. MI_Char16 is one UTF-16 code unit.
 */
typedef unsigned char MI_Boolean;
typedef unsigned char MI_Uint8;
typedef signed char MI_Sint8;
typedef unsigned short MI_Uint16;
typedef short MI_Sint16;
typedef unsigned int MI_Uint32;
typedef int MI_Sint32;
#if defined(__GNUC__)
__extension__ typedef unsigned long long MI_Uint64;
__extension__ typedef long long MI_Sint64;
#else
typedef unsigned long long MI_Uint64;
typedef long long MI_Sint64;
#endif
typedef float MI_Real32;
typedef double MI_Real64;
typedef unsigned short MI_Char16;
typedef char MI_Char;
typedef const MI_Char *MI_ConstStringPtr;

#define MI_TRUE  ((MI_Boolean)1)
#define MI_FALSE ((MI_Boolean)0)

/*
 * Flags of declarations, elements and values. The upper ones, from MI_FLAG_NULL on, travel with a
 * value: it is NULL; the instance may keep the caller's pointer as long as it lives; the instance
 * takes the caller's memory over. Without BORROW or ADOPT a value is copied.
 */
#define MI_FLAG_CLASS           0x00000001U
#define MI_FLAG_METHOD          0x00000002U
#define MI_FLAG_PROPERTY        0x00000004U
#define MI_FLAG_PARAMETER       0x00000008U
#define MI_FLAG_ASSOCIATION     0x00000010U
#define MI_FLAG_INDICATION      0x00000020U
#define MI_FLAG_REFERENCE       0x00000040U
#define MI_FLAG_ANY             0x0000007FU
#define MI_FLAG_ENABLEOVERRIDE  0x00000080U
#define MI_FLAG_DISABLEOVERRIDE 0x00000100U
#define MI_FLAG_RESTRICTED      0x00000200U
#define MI_FLAG_TOSUBCLASS      0x00000400U
#define MI_FLAG_TRANSLATABLE    0x00000800U
#define MI_FLAG_KEY             0x00001000U
#define MI_FLAG_IN              0x00002000U
#define MI_FLAG_OUT             0x00004000U
#define MI_FLAG_REQUIRED        0x00008000U
#define MI_FLAG_STATIC          0x00010000U
#define MI_FLAG_ABSTRACT        0x00020000U
#define MI_FLAG_TERMINAL        0x00040000U
#define MI_FLAG_EXPENSIVE       0x00080000U
#define MI_FLAG_STREAM          0x00100000U
#define MI_FLAG_READONLY        0x00200000U
#define MI_FLAG_TOINSTANCE      0x00400000U
#define MI_FLAG_NOT_MODIFIED    0x02000000U
#define MI_FLAG_VERSION         0x1C000000U
#define MI_FLAG_NULL            0x20000000U
#define MI_FLAG_BORROW          0x40000000U
#define MI_FLAG_ADOPT           0x80000000U

/* What a module was generated with, in MI_Module.flags. */
#define MI_MODULE_FLAG_STANDARD_QUALIFIERS 0x00000001U
#define MI_MODULE_FLAG_DESCRIPTIONS        0x00000002U
#define MI_MODULE_FLAG_VALUES              0x00000004U
#define MI_MODULE_FLAG_MAPPING_STRINGS     0x00000008U
#define MI_MODULE_FLAG_BOOLEANS            0x00000010U
#define MI_MODULE_FLAG_CPLUSPLUS           0x00000020U
#define MI_MODULE_FLAG_LOCALIZED           0x00000040U
#define MI_MODULE_FLAG_FILTER_SUPPORT      0x00000080U

/* Bytes of the buffer for MI_Context_GetLocale, the terminating zero included. */
#define MI_MAX_LOCALE_SIZE 128

/* Channels of MI_Context_WriteMessage and of the writeMessage callbacks. */
#define MI_WRITEMESSAGE_CHANNEL_WARNING 0
#define MI_WRITEMESSAGE_CHANNEL_VERBOSE 1
#define MI_WRITEMESSAGE_CHANNEL_DEBUG   2

/*
 * Flags of the session calls. 0 asks for standard type information and for instances of all
 * subclasses with all their properties. DEEP_BASE_PROPS_ONLY contains the bit of SHALLOW: compare
 * it whole. MANUAL_ACK_RESULTS: see MI_OperationCallbacks. REPORT_OPERATION_STARTED: a first result
 * without an item may say that the server has accepted the operation.
 */
#define MI_OPERATIONFLAGS_DEFAULT_RTTI                      0x0000U
#define MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS                0x0001U
#define MI_OPERATIONFLAGS_BASIC_RTTI                        0x0002U
#define MI_OPERATIONFLAGS_FULL_RTTI                         0x0004U
#define MI_OPERATIONFLAGS_LOCALIZED_QUALIFIERS              0x0008U
#define MI_OPERATIONFLAGS_EXPENSIVE_PROPERTIES              0x0040U
#define MI_OPERATIONFLAGS_POLYMORPHISM_SHALLOW              0x0080U
#define MI_OPERATIONFLAGS_POLYMORPHISM_DEEP_BASE_PROPS_ONLY 0x0180U
#define MI_OPERATIONFLAGS_REPORT_OPERATION_STARTED          0x0200U
#define MI_OPERATIONFLAGS_NO_RTTI                           0x0400U
#define MI_OPERATIONFLAGS_STANDARD_RTTI                     0x0800U

#define MI_SERIALIZER_FLAGS_CLASS_DEEP          1
#define MI_SERIALIZER_FLAGS_INSTANCE_WITH_CLASS 1

/* Kinds of change a provider can report through its lifecycle context, one bit each. */
#define MI_LIFECYCLE_INDICATION_NONE       0x00U
#define MI_LIFECYCLE_INDICATION_CREATE     0x01U
#define MI_LIFECYCLE_INDICATION_MODIFY     0x02U
#define MI_LIFECYCLE_INDICATION_DELETE     0x04U
#define MI_LIFECYCLE_INDICATION_READ       0x08U
#define MI_LIFECYCLE_INDICATION_METHODCALL 0x10U
#define MI_LIFECYCLE_INDICATION_ALL        0x1FU

/* Languages of queries and filters: WQL, the CQL of DMTF DSP0202, WS-Management selectors. */
#define MI_QUERY_DIALECT_WQL      MI_T("WQL")
#define MI_QUERY_DIALECT_CQL      MI_T("CQL")
#define MI_QUERY_DIALECT_SELECTOR MI_T("selectorFilter")

/* Which family of numbers the code given to PostError or WriteError belongs to. */
#define MI_RESULT_TYPE_MI      MI_T("MI")
#define MI_RESULT_TYPE_HRESULT MI_T("HRESULT")
#define MI_RESULT_TYPE_WIN32   MI_T("WIN32")
#define MI_RESULT_TYPE_ERRNO   MI_T("ERRNO")
#define MI_RESULT_TYPE_WINRM   MI_T("WINRM")

/* MI_UserCredentials.authenticationType. CLIENT_CERTS and ISSUER_CERT go with a thumbprint. */
#define MI_AUTH_TYPE_DEFAULT         MI_T("Default")
#define MI_AUTH_TYPE_NONE            MI_T("None")
#define MI_AUTH_TYPE_DIGEST          MI_T("Digest")
#define MI_AUTH_TYPE_NEGO_WITH_CREDS MI_T("NegoWithCreds")
#define MI_AUTH_TYPE_NEGO_NO_CREDS   MI_T("NegoNoCreds")
#define MI_AUTH_TYPE_BASIC           MI_T("Basic")
#define MI_AUTH_TYPE_KERBEROS        MI_T("Kerberos")
#define MI_AUTH_TYPE_CLIENT_CERTS    MI_T("ClientCerts")
#define MI_AUTH_TYPE_NTLM            MI_T("Ntlmdomain")
#define MI_AUTH_TYPE_ISSUER_CERT     MI_T("IssuerCert")

/* Values of the destination options of the same names. */
#define MI_DESTINATIONOPTIONS_PACKET_ENCODING_DEFAULT MI_T("default")
#define MI_DESTINATIONOPTIONS_PACKET_ENCODING_UTF8    MI_T("UTF8")
#define MI_DESTINATIONOPTIONS_PACKET_ENCODING_UTF16   MI_T("UTF16")
#define MI_DESTINATIONOPTIONS_TRANSPORT_HTTP          MI_T("HTTP")
#define MI_DESTINATIONOPTIONS_TRANSPORT_HTTPS         MI_T("HTTPS")
#define MI_DESTINATIONOPTIONS_PROXY_TYPE_IE           MI_T("IE")
#define MI_DESTINATIONOPTIONS_PROXY_TYPE_WINHTTP      MI_T("WinHTTP")
#define MI_DESTINATIONOPTIONS_PROXY_TYPE_AUTO         MI_T("Auto")
#define MI_DESTINATIONOPTIONS_PROXY_TYPE_NONE         MI_T("None")

/*
 * Result of every operation: 1 to 17 are the CIM status codes of DMTF DSP0200, 20 to 28 those of
 * its later revisions. 18 and 19 are not used. A cancelled operation has no code of its own.
 * ACCESS_DENIED is also the answer to using a session under another identity than it was opened
 * under (the documentation of MI_Context_GetLocalSession).
 */
typedef enum _MI_Result {
    MI_RESULT_OK = 0,
    MI_RESULT_FAILED = 1,
    MI_RESULT_ACCESS_DENIED = 2,
    MI_RESULT_INVALID_NAMESPACE = 3,
    MI_RESULT_INVALID_PARAMETER = 4,
    MI_RESULT_INVALID_CLASS = 5,
    MI_RESULT_NOT_FOUND = 6,
    MI_RESULT_NOT_SUPPORTED = 7,
    MI_RESULT_CLASS_HAS_CHILDREN = 8,
    MI_RESULT_CLASS_HAS_INSTANCES = 9,
    MI_RESULT_INVALID_SUPERCLASS = 10,
    MI_RESULT_ALREADY_EXISTS = 11,
    MI_RESULT_NO_SUCH_PROPERTY = 12,
    MI_RESULT_TYPE_MISMATCH = 13,
    MI_RESULT_QUERY_LANGUAGE_NOT_SUPPORTED = 14,
    MI_RESULT_INVALID_QUERY = 15,
    MI_RESULT_METHOD_NOT_AVAILABLE = 16,
    MI_RESULT_METHOD_NOT_FOUND = 17,
    MI_RESULT_NAMESPACE_NOT_EMPTY = 20,
    MI_RESULT_INVALID_ENUMERATION_CONTEXT = 21,
    MI_RESULT_INVALID_OPERATION_TIMEOUT = 22,
    MI_RESULT_PULL_HAS_BEEN_ABANDONED = 23,
    MI_RESULT_PULL_CANNOT_BE_ABANDONED = 24,
    MI_RESULT_FILTERED_ENUMERATION_NOT_SUPPORTED = 25,
    MI_RESULT_CONTINUATION_ON_ERROR_NOT_SUPPORTED = 26,
    MI_RESULT_SERVER_LIMITS_EXCEEDED = 27,
    MI_RESULT_SERVER_IS_SHUTTING_DOWN = 28
} MI_Result;

/* Coarse kind of an error in a CIM_Error. The third name is misspelt in the API and stays so. */
typedef enum _MI_ErrorCategory {
    MI_ERRORCATEGORY_NOT_SPECIFIED = 0,
    MI_ERRORCATEGORY_OPEN_ERROR = 1,
    MI_ERRORCATEGORY_CLOS_EERROR = 2,
    MI_ERRORCATEGORY_DEVICE_ERROR = 3,
    MI_ERRORCATEGORY_DEADLOCK_DETECTED = 4,
    MI_ERRORCATEGORY_INVALID_ARGUMENT = 5,
    MI_ERRORCATEGORY_INVALID_DATA = 6,
    MI_ERRORCATEGORY_INVALID_OPERATION = 7,
    MI_ERRORCATEGORY_INVALID_RESULT = 8,
    MI_ERRORCATEGORY_INVALID_TYPE = 9,
    MI_ERRORCATEGORY_METADATA_ERROR = 10,
    MI_ERRORCATEGORY_NOT_IMPLEMENTED = 11,
    MI_ERRORCATEGORY_NOT_INSTALLED = 12,
    MI_ERRORCATEGORY_OBJECT_NOT_FOUND = 13,
    MI_ERRORCATEGORY_OPERATION_STOPPED = 14,
    MI_ERRORCATEGORY_OPERATION_TIMEOUT = 15,
    MI_ERRORCATEGORY_SYNTAX_ERROR = 16,
    MI_ERRORCATEGORY_PARSER_ERROR = 17,
    MI_ERRORCATEGORY_ACCESS_DENIED = 18,
    MI_ERRORCATEGORY_RESOURCE_BUSY = 19,
    MI_ERRORCATEGORY_RESOURCE_EXISTS = 20,
    MI_ERRORCATEGORY_RESOURCE_UNAVAILABLE = 21,
    MI_ERRORCATEGORY_READ_ERROR = 22,
    MI_ERRORCATEGORY_WRITE_ERROR = 23,
    MI_ERRORCATEGORY_FROM_STDERR = 24,
    MI_ERRORCATEGORY_SECURITY_ERROR = 25,
    MI_ERRORCATEGORY_PROTOCOL_ERROR = 26,
    MI_ERRORCATEGORY_CONNECTION_ERROR = 27,
    MI_ERRORCATEGORY_AUTHENTICATION_ERROR = 28,
    MI_ERRORCATEGORY_LIMITS_EXCEEDED = 29,
    MI_ERRORCATEGORY_QUOTA_EXCEEDED = 30,
    MI_ERRORCATEGORY_NOT_ENABLED = 31
} MI_ErrorCategory;

/* How serious a question to the user is. A critical one is always asked. */
typedef enum _MI_PromptType { MI_PROMPTTYPE_NORMAL = 0, MI_PROMPTTYPE_CRITICAL = 1 } MI_PromptType;

/*
 * What happens to a question or an error on its way to the client: it is told and the default
 * answer is taken; it is told and the client answers; it is not told and the default is taken.
 */
typedef enum _MI_CallbackMode {
    MI_CALLBACKMODE_REPORT = 0,
    MI_CALLBACKMODE_INQUIRE = 1,
    MI_CALLBACKMODE_IGNORE = 2
} MI_CallbackMode;

typedef enum _MI_ProviderArchitecture {
    MI_PROVIDER_ARCHITECTURE_32BIT = 0,
    MI_PROVIDER_ARCHITECTURE_64BIT = 1
} MI_ProviderArchitecture;

/* Type of a value. An array has the number of its element's type with the bit MI_ARRAY set. */
typedef enum _MI_Type {
    MI_BOOLEAN = 0,
    MI_UINT8 = 1,
    MI_SINT8 = 2,
    MI_UINT16 = 3,
    MI_SINT16 = 4,
    MI_UINT32 = 5,
    MI_SINT32 = 6,
    MI_UINT64 = 7,
    MI_SINT64 = 8,
    MI_REAL32 = 9,
    MI_REAL64 = 10,
    MI_CHAR16 = 11,
    MI_DATETIME = 12,
    MI_STRING = 13,
    MI_REFERENCE = 14,
    MI_INSTANCE = 15,
    MI_BOOLEANA = 16,
    MI_UINT8A = 17,
    MI_SINT8A = 18,
    MI_UINT16A = 19,
    MI_SINT16A = 20,
    MI_UINT32A = 21,
    MI_SINT32A = 22,
    MI_UINT64A = 23,
    MI_SINT64A = 24,
    MI_REAL32A = 25,
    MI_REAL64A = 26,
    MI_CHAR16A = 27,
    MI_DATETIMEA = 28,
    MI_STRINGA = 29,
    MI_REFERENCEA = 30,
    MI_INSTANCEA = 31,
    MI_ARRAY = 16
} MI_Type;

/* Which locale MI_Context_GetLocale is asked for: as the client said, or as the host can serve. */
typedef enum _MI_LocaleType {
    MI_LOCALE_TYPE_REQUESTED_UI = 0,
    MI_LOCALE_TYPE_REQUESTED_DATA = 1,
    MI_LOCALE_TYPE_CLOSEST_UI = 2,
    MI_LOCALE_TYPE_CLOSEST_DATA = 3
} MI_LocaleType;

/* Why an operation is cancelled. */
typedef enum _MI_CancellationReason {
    MI_REASON_NONE = 0,
    MI_REASON_TIMEOUT = 1,
    MI_REASON_SHUTDOWN = 2,
    MI_REASON_SERVICESTOP = 3
} MI_CancellationReason;

/* Earlier spelling of the same. */
#define MI_CancelationReason  MI_CancellationReason
#define _MI_CancelationReason _MI_CancellationReason

/* A client's answer to a question or an error; ...ToAll answers the rest of the operation too. */
typedef enum _MI_OperationCallback_ResponseType {
    MI_OperationCallback_ResponseType_No = 0,
    MI_OperationCallback_ResponseType_Yes = 1,
    MI_OperationCallback_ResponseType_NoToAll = 2,
    MI_OperationCallback_ResponseType_YesToAll = 3
} MI_OperationCallback_ResponseType;

/* Whether the subscriber fetches indications or the server sends them. */
typedef enum _MI_SubscriptionDeliveryType {
    MI_SubscriptionDeliveryType_Pull = 1,
    MI_SubscriptionDeliveryType_Push = 2
} MI_SubscriptionDeliveryType;

/* How far a server may act as the client. */
typedef enum _MI_DestinationOptions_ImpersonationType {
    MI_DestinationOptions_ImpersonationType_Default = 0,
    MI_DestinationOptions_ImpersonationType_None = 1,
    MI_DestinationOptions_ImpersonationType_Identify = 2,
    MI_DestinationOptions_ImpersonationType_Impersonate = 3,
    MI_DestinationOptions_ImpersonationType_Delegate = 4
} MI_DestinationOptions_ImpersonationType;

/* Every object of the API by name; each is defined in its section. */
typedef struct _MI_Server MI_Server;
typedef struct _MI_ServerFT MI_ServerFT;
typedef struct _MI_Filter MI_Filter;
typedef struct _MI_FilterFT MI_FilterFT;
typedef struct _MI_PropertySet MI_PropertySet;
typedef struct _MI_PropertySetFT MI_PropertySetFT;
typedef struct _MI_ObjectDecl MI_ObjectDecl;
typedef struct _MI_ClassDecl MI_ClassDecl;
typedef struct _MI_FeatureDecl MI_FeatureDecl;
typedef struct _MI_ParameterDecl MI_ParameterDecl;
typedef struct _MI_PropertyDecl MI_PropertyDecl;
typedef struct _MI_MethodDecl MI_MethodDecl;
typedef struct _MI_QualifierDecl MI_QualifierDecl;
typedef struct _MI_Qualifier MI_Qualifier;
typedef struct _MI_SchemaDecl MI_SchemaDecl;
typedef struct _MI_ProviderFT MI_ProviderFT;
typedef struct _MI_Module MI_Module;
typedef struct _MI_Module_Self MI_Module_Self;
typedef struct _MI_Instance MI_Instance;
typedef struct _MI_InstanceFT MI_InstanceFT;
typedef struct _MI_Context MI_Context;
typedef struct _MI_ContextFT MI_ContextFT;
typedef struct _MI_QualifierSet MI_QualifierSet;
typedef struct _MI_QualifierSetFT MI_QualifierSetFT;
typedef struct _MI_ParameterSet MI_ParameterSet;
typedef struct _MI_ParameterSetFT MI_ParameterSetFT;
typedef struct _MI_Class MI_Class;
typedef struct _MI_ClassFT MI_ClassFT;
typedef struct _MI_Application MI_Application;
typedef struct _MI_ApplicationFT MI_ApplicationFT;
typedef struct _MI_HostedProvider MI_HostedProvider;
typedef struct _MI_HostedProviderFT MI_HostedProviderFT;
typedef struct _MI_Session MI_Session;
typedef struct _MI_SessionFT MI_SessionFT;
typedef struct _MI_SessionCallbacks MI_SessionCallbacks;
typedef struct _MI_Operation MI_Operation;
typedef struct _MI_OperationFT MI_OperationFT;
typedef struct _MI_OperationCallbacks MI_OperationCallbacks;
typedef struct _MI_OperationOptions MI_OperationOptions;
typedef struct _MI_OperationOptionsFT MI_OperationOptionsFT;
typedef struct _MI_DestinationOptions MI_DestinationOptions;
typedef struct _MI_DestinationOptionsFT MI_DestinationOptionsFT;
typedef struct _MI_SubscriptionDeliveryOptions MI_SubscriptionDeliveryOptions;
typedef struct _MI_SubscriptionDeliveryOptionsFT MI_SubscriptionDeliveryOptionsFT;
typedef struct _MI_UsernamePasswordCreds MI_UsernamePasswordCreds;
typedef struct _MI_UserCredentials MI_UserCredentials;
typedef struct _MI_Serializer MI_Serializer;
typedef struct _MI_SerializerFT MI_SerializerFT;
typedef struct _MI_Deserializer MI_Deserializer;
typedef struct _MI_DeserializerFT MI_DeserializerFT;
typedef struct _MI_UtilitiesFT MI_UtilitiesFT;
typedef struct _MI_ClientFT_V1 MI_ClientFT_V1;
typedef struct _MI_LifecycleIndicationContext MI_LifecycleIndicationContext;
typedef struct _MI_LifecycleIndicationContextFT MI_LifecycleIndicationContextFT;

/* ---- 3. Arrays, values, fields --------------------------------------------------------------- */

/* A moment: the calendar fields of a CIM datetime (DSP0004). `utc` is minutes east of UTC. */
typedef struct _MI_Timestamp {
    MI_Uint32 year;
    MI_Uint32 month;
    MI_Uint32 day;
    MI_Uint32 hour;
    MI_Uint32 minute;
    MI_Uint32 second;
    MI_Uint32 microseconds;
    MI_Sint32 utc;
} MI_Timestamp;

/* A length of time; padded to the size of a timestamp. */
typedef struct _MI_Interval {
    MI_Uint32 days;
    MI_Uint32 hours;
    MI_Uint32 minutes;
    MI_Uint32 seconds;
    MI_Uint32 microseconds;
    MI_Uint32 __padding1;
    MI_Uint32 __padding2;
    MI_Uint32 __padding3;
} MI_Interval;

/* A CIM datetime: isTimestamp says which member of `u` counts. */
typedef struct _MI_Datetime {
    MI_Uint32 isTimestamp;
    union {
        MI_Timestamp timestamp;
        MI_Interval interval;
    } u;
} MI_Datetime;

/*
 * Arrays: `size` elements at `data`. The Const family is what generated code uses for constants;
 * both have the layout of MI_Array, through which code that knows no type can look at any of them.
 */
#define MI_PRIVATE_ARRAY(NAME, ELEMENT)                                                            \
    typedef struct _MI_##NAME##A {                                                                 \
        ELEMENT *data;                                                                             \
        MI_Uint32 size;                                                                            \
    } MI_##NAME##A

MI_PRIVATE_ARRAY(Boolean, MI_Boolean);
MI_PRIVATE_ARRAY(Uint8, MI_Uint8);
MI_PRIVATE_ARRAY(Sint8, MI_Sint8);
MI_PRIVATE_ARRAY(Uint16, MI_Uint16);
MI_PRIVATE_ARRAY(Sint16, MI_Sint16);
MI_PRIVATE_ARRAY(Uint32, MI_Uint32);
MI_PRIVATE_ARRAY(Sint32, MI_Sint32);
MI_PRIVATE_ARRAY(Uint64, MI_Uint64);
MI_PRIVATE_ARRAY(Sint64, MI_Sint64);
MI_PRIVATE_ARRAY(Real32, MI_Real32);
MI_PRIVATE_ARRAY(Real64, MI_Real64);
MI_PRIVATE_ARRAY(Char16, MI_Char16);
MI_PRIVATE_ARRAY(Datetime, MI_Datetime);
MI_PRIVATE_ARRAY(String, MI_Char *);
MI_PRIVATE_ARRAY(Reference, MI_Instance *);
MI_PRIVATE_ARRAY(Instance, MI_Instance *);

MI_PRIVATE_ARRAY(ConstBoolean, MI_CONST MI_Boolean);
MI_PRIVATE_ARRAY(ConstUint8, MI_CONST MI_Uint8);
MI_PRIVATE_ARRAY(ConstSint8, MI_CONST MI_Sint8);
MI_PRIVATE_ARRAY(ConstUint16, MI_CONST MI_Uint16);
MI_PRIVATE_ARRAY(ConstSint16, MI_CONST MI_Sint16);
MI_PRIVATE_ARRAY(ConstUint32, MI_CONST MI_Uint32);
MI_PRIVATE_ARRAY(ConstSint32, MI_CONST MI_Sint32);
MI_PRIVATE_ARRAY(ConstUint64, MI_CONST MI_Uint64);
MI_PRIVATE_ARRAY(ConstSint64, MI_CONST MI_Sint64);
MI_PRIVATE_ARRAY(ConstReal32, MI_CONST MI_Real32);
MI_PRIVATE_ARRAY(ConstReal64, MI_CONST MI_Real64);
MI_PRIVATE_ARRAY(ConstChar16, MI_CONST MI_Char16);
MI_PRIVATE_ARRAY(ConstDatetime, MI_CONST MI_Datetime);
MI_PRIVATE_ARRAY(ConstString, MI_CONST MI_Char *MI_CONST);
MI_PRIVATE_ARRAY(ConstReference, MI_CONST MI_Instance *MI_CONST);
MI_PRIVATE_ARRAY(ConstInstance, MI_CONST MI_Instance *MI_CONST);

#undef MI_PRIVATE_ARRAY

typedef struct _MI_Array {
    void *data;
    MI_Uint32 size;
} MI_Array;

/*
 * A value of any type; an MI_Type beside it says which member counts. Strings, arrays and instances
 * are pointers into somebody else's memory, never owned by the union. A callee must read no more
 * than the member that the type names: generated code passes pointers to that member alone, cast to
 * MI_Value *.
 */
typedef union _MI_Value {
    MI_Boolean boolean;
    MI_Uint8 uint8;
    MI_Sint8 sint8;
    MI_Uint16 uint16;
    MI_Sint16 sint16;
    MI_Uint32 uint32;
    MI_Sint32 sint32;
    MI_Uint64 uint64;
    MI_Sint64 sint64;
    MI_Real32 real32;
    MI_Real64 real64;
    MI_Char16 char16;
    MI_Datetime datetime;
    MI_Char *string;
    MI_Instance *instance;
    MI_Instance *reference;
    MI_BooleanA booleana;
    MI_Uint8A uint8a;
    MI_Sint8A sint8a;
    MI_Uint16A uint16a;
    MI_Sint16A sint16a;
    MI_Uint32A uint32a;
    MI_Sint32A sint32a;
    MI_Uint64A uint64a;
    MI_Sint64A sint64a;
    MI_Real32A real32a;
    MI_Real64A real64a;
    MI_Char16A char16a;
    MI_DatetimeA datetimea;
    MI_StringA stringa;
    MI_ReferenceA referencea;
    MI_InstanceA instancea;
    MI_Array array;
} MI_Value;

/*
 * Fields: how a property lies in a generated instance struct, at the offset its declaration gives.
 * `exists` FALSE means the property is NULL; `flags` belongs to the host.
 */
#define MI_PRIVATE_FIELD(NAME, VALUE)                                                              \
    typedef struct _MI_##NAME##Field {                                                             \
        VALUE value;                                                                               \
        MI_Boolean exists;                                                                         \
        MI_Uint8 flags;                                                                            \
    } MI_##NAME##Field

MI_PRIVATE_FIELD(Boolean, MI_Boolean);
MI_PRIVATE_FIELD(Sint8, MI_Sint8);
MI_PRIVATE_FIELD(Uint8, MI_Uint8);
MI_PRIVATE_FIELD(Sint16, MI_Sint16);
MI_PRIVATE_FIELD(Uint16, MI_Uint16);
MI_PRIVATE_FIELD(Sint32, MI_Sint32);
MI_PRIVATE_FIELD(Uint32, MI_Uint32);
MI_PRIVATE_FIELD(Sint64, MI_Sint64);
MI_PRIVATE_FIELD(Uint64, MI_Uint64);
MI_PRIVATE_FIELD(Real32, MI_Real32);
MI_PRIVATE_FIELD(Real64, MI_Real64);
MI_PRIVATE_FIELD(Char16, MI_Char16);
MI_PRIVATE_FIELD(Datetime, MI_Datetime);
MI_PRIVATE_FIELD(String, MI_Char *);
MI_PRIVATE_FIELD(Reference, MI_Instance *);
MI_PRIVATE_FIELD(Instance, MI_Instance *);
MI_PRIVATE_FIELD(BooleanA, MI_BooleanA);
MI_PRIVATE_FIELD(Uint8A, MI_Uint8A);
MI_PRIVATE_FIELD(Sint8A, MI_Sint8A);
MI_PRIVATE_FIELD(Uint16A, MI_Uint16A);
MI_PRIVATE_FIELD(Sint16A, MI_Sint16A);
MI_PRIVATE_FIELD(Uint32A, MI_Uint32A);
MI_PRIVATE_FIELD(Sint32A, MI_Sint32A);
MI_PRIVATE_FIELD(Uint64A, MI_Uint64A);
MI_PRIVATE_FIELD(Sint64A, MI_Sint64A);
MI_PRIVATE_FIELD(Real32A, MI_Real32A);
MI_PRIVATE_FIELD(Real64A, MI_Real64A);
MI_PRIVATE_FIELD(Char16A, MI_Char16A);
MI_PRIVATE_FIELD(DatetimeA, MI_DatetimeA);
MI_PRIVATE_FIELD(StringA, MI_StringA);
MI_PRIVATE_FIELD(ReferenceA, MI_ReferenceA);
MI_PRIVATE_FIELD(InstanceA, MI_InstanceA);
MI_PRIVATE_FIELD(Array, MI_Array);

MI_PRIVATE_FIELD(ConstBoolean, MI_Boolean);
MI_PRIVATE_FIELD(ConstSint8, MI_Sint8);
MI_PRIVATE_FIELD(ConstUint8, MI_Uint8);
MI_PRIVATE_FIELD(ConstSint16, MI_Sint16);
MI_PRIVATE_FIELD(ConstUint16, MI_Uint16);
MI_PRIVATE_FIELD(ConstSint32, MI_Sint32);
MI_PRIVATE_FIELD(ConstUint32, MI_Uint32);
MI_PRIVATE_FIELD(ConstSint64, MI_Sint64);
MI_PRIVATE_FIELD(ConstUint64, MI_Uint64);
MI_PRIVATE_FIELD(ConstReal32, MI_Real32);
MI_PRIVATE_FIELD(ConstReal64, MI_Real64);
MI_PRIVATE_FIELD(ConstChar16, MI_Char16);
MI_PRIVATE_FIELD(ConstDatetime, MI_Datetime);
MI_PRIVATE_FIELD(ConstString, MI_CONST MI_Char *);
MI_PRIVATE_FIELD(ConstReference, MI_CONST MI_Instance *);
MI_PRIVATE_FIELD(ConstInstance, MI_CONST MI_Instance *);
MI_PRIVATE_FIELD(ConstBooleanA, MI_ConstBooleanA);
MI_PRIVATE_FIELD(ConstUint8A, MI_ConstUint8A);
MI_PRIVATE_FIELD(ConstSint8A, MI_ConstSint8A);
MI_PRIVATE_FIELD(ConstUint16A, MI_ConstUint16A);
MI_PRIVATE_FIELD(ConstSint16A, MI_ConstSint16A);
MI_PRIVATE_FIELD(ConstUint32A, MI_ConstUint32A);
MI_PRIVATE_FIELD(ConstSint32A, MI_ConstSint32A);
MI_PRIVATE_FIELD(ConstUint64A, MI_ConstUint64A);
MI_PRIVATE_FIELD(ConstSint64A, MI_ConstSint64A);
MI_PRIVATE_FIELD(ConstReal32A, MI_ConstReal32A);
MI_PRIVATE_FIELD(ConstReal64A, MI_ConstReal64A);
MI_PRIVATE_FIELD(ConstChar16A, MI_ConstChar16A);
MI_PRIVATE_FIELD(ConstDatetimeA, MI_ConstDatetimeA);
MI_PRIVATE_FIELD(ConstStringA, MI_ConstStringA);
MI_PRIVATE_FIELD(ConstReferenceA, MI_ConstReferenceA);
MI_PRIVATE_FIELD(ConstInstanceA, MI_ConstInstanceA);

#undef MI_PRIVATE_FIELD

/* ---- 4. Declarations (rtti) ------------------------------------------------------------------ */

/*
 * Declarations describe classes, properties, methods and parameters. They are constant data of the
 * module and live as long as it stays loaded. `code` speeds up the search for a name, which ignores
 * case: first letter in lower case << 16 | last letter in lower case << 8 | length.
 */
typedef void (*MI_MethodDecl_Invoke)(void *self, MI_Context *context, const MI_Char *nameSpace,
                                     const MI_Char *className, const MI_Char *methodName,
                                     const MI_Instance *instanceName,
                                     const MI_Instance *inputParameters);

/* The common beginning of MI_ClassDecl and MI_MethodDecl. */
struct _MI_ObjectDecl {
    MI_Uint32 flags;
    MI_Uint32 code;
    MI_CONST MI_Char *name;
    MI_CONST MI_Qualifier *MI_CONST *qualifiers;
    MI_Uint32 numQualifiers;
    MI_CONST MI_PropertyDecl *MI_CONST *properties;
    MI_Uint32 numProperties;
    MI_Uint32 size;
};

/*
 * A class. `properties` holds those of the superclasses first; an element's index is its position
 * there. `size` is that of the generated struct in bytes. Where a method's parameters stand in for
 * an instance, `classDecl` points to an MI_MethodDecl: only the members up to `size` may be read
 * then (flags has MI_FLAG_METHOD).
 */
struct _MI_ClassDecl {
    MI_Uint32 flags;
    MI_Uint32 code;
    MI_CONST MI_Char *name;
    MI_CONST MI_Qualifier *MI_CONST *qualifiers;
    MI_Uint32 numQualifiers;
    MI_CONST MI_PropertyDecl *MI_CONST *properties;
    MI_Uint32 numProperties;
    MI_Uint32 size;
    MI_CONST MI_Char *superClass;
    MI_CONST MI_ClassDecl *superClassDecl;
    MI_CONST MI_MethodDecl *MI_CONST *methods;
    MI_Uint32 numMethods;
    MI_CONST MI_SchemaDecl *schema;
    MI_CONST MI_ProviderFT *providerFT;
    MI_Class *owningClass;
};

/* The common beginning of properties, parameters and methods. */
struct _MI_FeatureDecl {
    MI_Uint32 flags;
    MI_Uint32 code;
    MI_CONST MI_Char *name;
    MI_CONST MI_Qualifier *MI_CONST *qualifiers;
    MI_Uint32 numQualifiers;
};

/*
 * A parameter of a method: an MI_Type, the class of a reference or embedded instance or NULL, the
 * fixed size of an array or 0, and the offset of its field in the generated struct.
 */
struct _MI_ParameterDecl {
    MI_Uint32 flags;
    MI_Uint32 code;
    MI_CONST MI_Char *name;
    MI_CONST MI_Qualifier *MI_CONST *qualifiers;
    MI_Uint32 numQualifiers;
    MI_Uint32 type;
    MI_CONST MI_Char *className;
    MI_Uint32 subscript;
    MI_Uint32 offset;
};

/* A property: as a parameter, then the classes it comes from, then its default or NULL. */
struct _MI_PropertyDecl {
    MI_Uint32 flags;
    MI_Uint32 code;
    MI_CONST MI_Char *name;
    MI_CONST MI_Qualifier *MI_CONST *qualifiers;
    MI_Uint32 numQualifiers;
    MI_Uint32 type;
    MI_CONST MI_Char *className;
    MI_Uint32 subscript;
    MI_Uint32 offset;
    MI_CONST MI_Char *origin;
    MI_CONST MI_Char *propagator;
    MI_CONST void *value;
};

/* A method; `function` is what the host calls, and NULL means not implemented. */
struct _MI_MethodDecl {
    MI_Uint32 flags;
    MI_Uint32 code;
    MI_CONST MI_Char *name;
    MI_CONST MI_Qualifier *MI_CONST *qualifiers;
    MI_Uint32 numQualifiers;
    MI_CONST MI_ParameterDecl *MI_CONST *parameters;
    MI_Uint32 numParameters;
    MI_Uint32 size;
    MI_Uint32 returnType;
    MI_CONST MI_Char *origin;
    MI_CONST MI_Char *propagator;
    MI_CONST MI_SchemaDecl *schema;
    MI_MethodDecl_Invoke function;
};

/* The declaration of a qualifier (DSP0004): where it may stand and how it is inherited. */
struct _MI_QualifierDecl {
    MI_CONST MI_Char *name;
    MI_Uint32 type;
    MI_Uint32 scope;
    MI_Uint32 flavor;
    MI_Uint32 subscript;
    MI_CONST void *value;
};

/* A qualifier as it stands at a class, property, method or parameter. */
struct _MI_Qualifier {
    MI_CONST MI_Char *name;
    MI_Uint32 type;
    MI_Uint32 flavor;
    MI_CONST void *value;
};

/* Everything a module declares. */
struct _MI_SchemaDecl {
    MI_CONST MI_QualifierDecl *MI_CONST *qualifierDecls;
    MI_Uint32 numQualifierDecls;
    MI_CONST MI_ClassDecl *MI_CONST *classDecls;
    MI_Uint32 numClassDecls;
};

/* ---- 5. Instances, classes, filters, property sets ------------------------------------------- */

/*
 * MI_Instance: an object of a class, or the parameters of a method.
 *
 * A generated struct begins with one and continues with its fields; such a struct on the stack is
 * made by MI_Context_ConstructInstance and ended by Destruct, one on the heap is made by a New
 * function or Clone and ended by Delete. What Get returns stays the instance's and dies when that
 * element is set or cleared or the instance ends. Names are compared without regard to case.
 */
struct _MI_InstanceFT {
    MI_Result (*Clone)(const MI_Instance *self, MI_Instance **newInstance);
    MI_Result (*Destruct)(MI_Instance *self);
    MI_Result (*Delete)(MI_Instance *self);
    MI_Result (*IsA)(const MI_Instance *self, const MI_ClassDecl *classDecl, MI_Boolean *flag);
    MI_Result (*GetClassName)(const MI_Instance *self, const MI_Char **className);
    MI_Result (*SetNameSpace)(MI_Instance *self, const MI_Char *nameSpace);
    MI_Result (*GetNameSpace)(const MI_Instance *self, const MI_Char **nameSpace);
    MI_Result (*GetElementCount)(const MI_Instance *self, MI_Uint32 *count);
    MI_Result (*AddElement)(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                            MI_Type type, MI_Uint32 flags);
    MI_Result (*SetElement)(MI_Instance *self, const MI_Char *name, const MI_Value *value,
                            MI_Type type, MI_Uint32 flags);
    MI_Result (*SetElementAt)(MI_Instance *self, MI_Uint32 index, const MI_Value *value,
                              MI_Type type, MI_Uint32 flags);
    MI_Result (*GetElement)(const MI_Instance *self, const MI_Char *name, MI_Value *value,
                            MI_Type *type, MI_Uint32 *flags, MI_Uint32 *index);
    MI_Result (*GetElementAt)(const MI_Instance *self, MI_Uint32 index, const MI_Char **name,
                              MI_Value *value, MI_Type *type, MI_Uint32 *flags);
    MI_Result (*ClearElement)(MI_Instance *self, const MI_Char *name);
    MI_Result (*ClearElementAt)(MI_Instance *self, MI_Uint32 index);
    MI_Result (*GetServerName)(const MI_Instance *self, const MI_Char **serverName);
    MI_Result (*SetServerName)(MI_Instance *self, const MI_Char *serverName);
    MI_Result (*GetClass)(const MI_Instance *self, MI_Class **instanceClass);
};

struct _MI_Instance {
    const MI_InstanceFT *ft;
    const MI_ClassDecl *classDecl;
    const MI_Char *serverName;
    const MI_Char *nameSpace;
    ptrdiff_t reserved[4];
};

/* A deep copy on the heap; the caller ends it with MI_Instance_Delete. */
MI_INLINE MI_Result MI_Instance_Clone(const MI_Instance *self, MI_Instance **newInstance)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Clone(self, newInstance);
}

/* Ends an instance in the caller's storage. */
MI_INLINE MI_Result MI_Instance_Destruct(MI_Instance *self)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Destruct(self);
}

/* Ends an instance on the heap. */
MI_INLINE MI_Result MI_Instance_Delete(MI_Instance *self)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Delete(self);
}

/* Whether the instance is of the declared class or of one derived from it. */
MI_INLINE MI_Result MI_Instance_IsA(const MI_Instance *self, const MI_ClassDecl *classDecl,
                                    MI_Boolean *flag)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->IsA(self, classDecl, flag);
}

MI_INLINE MI_Result MI_Instance_GetClassName(const MI_Instance *self, const MI_Char **className)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetClassName(self, className);
}

MI_INLINE MI_Result MI_Instance_SetNameSpace(MI_Instance *self, const MI_Char *nameSpace)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->SetNameSpace(self, nameSpace);
}

MI_INLINE MI_Result MI_Instance_GetNameSpace(const MI_Instance *self, const MI_Char **nameSpace)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetNameSpace(self, nameSpace);
}

MI_INLINE MI_Result MI_Instance_GetElementCount(const MI_Instance *self, MI_Uint32 *count)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElementCount(self, count);
}

/* Adds an element to a dynamic instance. A NULL value, or MI_FLAG_NULL, makes it NULL. */
MI_INLINE MI_Result MI_Instance_AddElement(MI_Instance *self, const MI_Char *name,
                                           const MI_Value *value, MI_Type type, MI_Uint32 flags)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->AddElement(self, name, value, type, flags);
}

/* Sets an element; the type must be the declared one. A NULL value, or MI_FLAG_NULL, clears it. */
MI_INLINE MI_Result MI_Instance_SetElementAt(MI_Instance *self, MI_Uint32 index,
                                             const MI_Value *value, MI_Type type, MI_Uint32 flags)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->SetElementAt(self, index, value, type, flags);
}

MI_INLINE MI_Result MI_Instance_SetElement(MI_Instance *self, const MI_Char *name,
                                           const MI_Value *value, MI_Type type, MI_Uint32 flags)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->SetElement(self, name, value, type, flags);
}

/* Reads an element. Every output may be NULL. A NULL element gives OK and MI_FLAG_NULL in flags. */
MI_INLINE MI_Result MI_Instance_GetElement(const MI_Instance *self, const MI_Char *name,
                                           MI_Value *value, MI_Type *type, MI_Uint32 *flags,
                                           MI_Uint32 *index)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElement(self, name, value, type, flags, index);
}

MI_INLINE MI_Result MI_Instance_GetElementAt(const MI_Instance *self, MI_Uint32 index,
                                             const MI_Char **name, MI_Value *value, MI_Type *type,
                                             MI_Uint32 *flags)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElementAt(self, index, name, value, type, flags);
}

MI_INLINE MI_Result MI_Instance_ClearElement(MI_Instance *self, const MI_Char *name)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->ClearElement(self, name);
}

MI_INLINE MI_Result MI_Instance_ClearElementAt(MI_Instance *self, MI_Uint32 index)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->ClearElementAt(self, index);
}

MI_INLINE MI_Result MI_Instance_GetServerName(const MI_Instance *self, const MI_Char **serverName)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetServerName(self, serverName);
}

MI_INLINE MI_Result MI_Instance_SetServerName(MI_Instance *self, const MI_Char *serverName)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->SetServerName(self, serverName);
}

/* The instance's class as a new object; the caller ends it with MI_Class_Delete. */
MI_INLINE MI_Result MI_Instance_GetClass(const MI_Instance *self, MI_Class **instanceClass)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetClass(self, instanceClass);
}

/* MI_QualifierSet: the qualifiers of a class, element, method or parameter, owned by the class. */
struct _MI_QualifierSetFT {
    MI_Result (*GetQualifierCount)(const MI_QualifierSet *self, MI_Uint32 *count);
    MI_Result (*GetQualifierAt)(const MI_QualifierSet *self, MI_Uint32 index, const MI_Char **name,
                                MI_Type *qualifierType, MI_Uint32 *qualifierFlags,
                                MI_Value *qualifierValue);
    MI_Result (*GetQualifier)(const MI_QualifierSet *self, const MI_Char *name,
                              MI_Type *qualifierType, MI_Uint32 *qualifierFlags,
                              MI_Value *qualifierValue, MI_Uint32 *index);
};

struct _MI_QualifierSet {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_QualifierSetFT *ft;
};

MI_INLINE MI_Result MI_QualifierSet_GetQualifierCount(const MI_QualifierSet *self, MI_Uint32 *count)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetQualifierCount(self, count);
}

MI_INLINE MI_Result MI_QualifierSet_GetQualifierAt(const MI_QualifierSet *self, MI_Uint32 index,
                                                   const MI_Char **name, MI_Type *qualifierType,
                                                   MI_Uint32 *qualifierFlags,
                                                   MI_Value *qualifierValue)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetQualifierAt(self, index, name, qualifierType, qualifierFlags,
                                    qualifierValue);
}

MI_INLINE MI_Result MI_QualifierSet_GetQualifier(const MI_QualifierSet *self, const MI_Char *name,
                                                 MI_Type *qualifierType, MI_Uint32 *qualifierFlags,
                                                 MI_Value *qualifierValue, MI_Uint32 *index)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetQualifier(self, name, qualifierType, qualifierFlags, qualifierValue, index);
}

/* MI_ParameterSet: the return type and the parameters of a method, owned by the class. */
struct _MI_ParameterSetFT {
    MI_Result (*GetMethodReturnType)(const MI_ParameterSet *self, MI_Type *returnType,
                                     MI_QualifierSet *qualifierSet);
    MI_Result (*GetParameterCount)(const MI_ParameterSet *self, MI_Uint32 *count);
    MI_Result (*GetParameterAt)(const MI_ParameterSet *self, MI_Uint32 index, const MI_Char **name,
                                MI_Type *parameterType, MI_Char **referenceClass,
                                MI_QualifierSet *qualifierSet);
    MI_Result (*GetParameter)(const MI_ParameterSet *self, const MI_Char *name,
                              MI_Type *parameterType, MI_Char **referenceClass,
                              MI_QualifierSet *qualifierSet, MI_Uint32 *index);
};

struct _MI_ParameterSet {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_ParameterSetFT *ft;
};

MI_INLINE MI_Result MI_ParameterSet_GetMethodReturnType(const MI_ParameterSet *self,
                                                        MI_Type *returnType,
                                                        MI_QualifierSet *qualifierSet)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetMethodReturnType(self, returnType, qualifierSet);
}

MI_INLINE MI_Result MI_ParameterSet_GetParameterCount(const MI_ParameterSet *self, MI_Uint32 *count)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetParameterCount(self, count);
}

MI_INLINE MI_Result MI_ParameterSet_GetParameterAt(const MI_ParameterSet *self, MI_Uint32 index,
                                                   const MI_Char **name, MI_Type *parameterType,
                                                   MI_Char **referenceClass,
                                                   MI_QualifierSet *qualifierSet)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetParameterAt(self, index, name, parameterType, referenceClass, qualifierSet);
}

MI_INLINE MI_Result MI_ParameterSet_GetParameter(const MI_ParameterSet *self, const MI_Char *name,
                                                 MI_Type *parameterType, MI_Char **referenceClass,
                                                 MI_QualifierSet *qualifierSet, MI_Uint32 *index)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetParameter(self, name, parameterType, referenceClass, qualifierSet, index);
}

/*
 * MI_Class: a class at run time. Everything read from it stays the class's. GetParentClass and
 * Clone give a new object that the caller ends with MI_Class_Delete.
 */
struct _MI_ClassFT {
    MI_Result (*GetClassName)(const MI_Class *self, const MI_Char **className);
    MI_Result (*GetNameSpace)(const MI_Class *self, const MI_Char **nameSpace);
    MI_Result (*GetServerName)(const MI_Class *self, const MI_Char **serverName);
    MI_Result (*GetElementCount)(const MI_Class *self, MI_Uint32 *count);
    MI_Result (*GetElement)(const MI_Class *self, const MI_Char *name, MI_Value *value,
                            MI_Boolean *valueExists, MI_Type *type, MI_Char **referenceClass,
                            MI_QualifierSet *qualifierSet, MI_Uint32 *flags, MI_Uint32 *index);
    MI_Result (*GetElementAt)(const MI_Class *self, MI_Uint32 index, const MI_Char **name,
                              MI_Value *value, MI_Boolean *valueExists, MI_Type *type,
                              MI_Char **referenceClass, MI_QualifierSet *qualifierSet,
                              MI_Uint32 *flags);
    MI_Result (*GetClassQualifierSet)(const MI_Class *self, MI_QualifierSet *qualifierSet);
    MI_Result (*GetMethodCount)(const MI_Class *self, MI_Uint32 *count);
    MI_Result (*GetMethodAt)(const MI_Class *self, MI_Uint32 index, const MI_Char **name,
                             MI_QualifierSet *qualifierSet, MI_ParameterSet *parameterSet);
    MI_Result (*GetMethod)(const MI_Class *self, const MI_Char *name, MI_QualifierSet *qualifierSet,
                           MI_ParameterSet *parameterSet, MI_Uint32 *index);
    MI_Result (*GetParentClassName)(const MI_Class *self, const MI_Char **name);
    MI_Result (*GetParentClass)(const MI_Class *self, MI_Class **parentClass);
    MI_Result (*Delete)(MI_Class *self);
    MI_Result (*Clone)(const MI_Class *self, MI_Class **newClass);
};

struct _MI_Class {
    const MI_ClassFT *ft;
    MI_CONST MI_ClassDecl *classDecl;
    MI_CONST MI_Char *namespaceName;
    MI_CONST MI_Char *serverName;
    ptrdiff_t reserved[4];
};

MI_INLINE MI_Result MI_Class_GetClassName(const MI_Class *self, const MI_Char **className)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetClassName(self, className);
}

MI_INLINE MI_Result MI_Class_GetNameSpace(const MI_Class *self, const MI_Char **nameSpace)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetNameSpace(self, nameSpace);
}

MI_INLINE MI_Result MI_Class_GetServerName(const MI_Class *self, const MI_Char **serverName)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetServerName(self, serverName);
}

MI_INLINE MI_Result MI_Class_GetElementCount(const MI_Class *self, MI_Uint32 *count)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElementCount(self, count);
}

MI_INLINE MI_Result MI_Class_GetElement(const MI_Class *self, const MI_Char *name, MI_Value *value,
                                        MI_Boolean *valueExists, MI_Type *type,
                                        MI_Char **referenceClass, MI_QualifierSet *qualifierSet,
                                        MI_Uint32 *flags, MI_Uint32 *index)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElement(self, name, value, valueExists, type, referenceClass, qualifierSet,
                                flags, index);
}

MI_INLINE MI_Result MI_Class_GetElementAt(const MI_Class *self, MI_Uint32 index,
                                          const MI_Char **name, MI_Value *value,
                                          MI_Boolean *valueExists, MI_Type *type,
                                          MI_Char **referenceClass, MI_QualifierSet *qualifierSet,
                                          MI_Uint32 *flags)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElementAt(self, index, name, value, valueExists, type, referenceClass,
                                  qualifierSet, flags);
}

MI_INLINE MI_Result MI_Class_GetClassQualifierSet(const MI_Class *self,
                                                  MI_QualifierSet *qualifierSet)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetClassQualifierSet(self, qualifierSet);
}

MI_INLINE MI_Result MI_Class_GetMethodCount(const MI_Class *self, MI_Uint32 *count)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetMethodCount(self, count);
}

MI_INLINE MI_Result MI_Class_GetMethodAt(const MI_Class *self, MI_Uint32 index,
                                         const MI_Char **name, MI_QualifierSet *qualifierSet,
                                         MI_ParameterSet *parameterSet)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetMethodAt(self, index, name, qualifierSet, parameterSet);
}

MI_INLINE MI_Result MI_Class_GetMethod(const MI_Class *self, const MI_Char *name,
                                       MI_QualifierSet *qualifierSet, MI_ParameterSet *parameterSet,
                                       MI_Uint32 *index)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetMethod(self, name, qualifierSet, parameterSet, index);
}

MI_INLINE MI_Result MI_Class_GetParentClassName(const MI_Class *self, const MI_Char **name)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetParentClassName(self, name);
}

MI_INLINE MI_Result MI_Class_GetParentClass(const MI_Class *self, MI_Class **parentClass)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetParentClass(self, parentClass);
}

MI_INLINE MI_Result MI_Class_Delete(MI_Class *self)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Delete(self);
}

MI_INLINE MI_Result MI_Class_Clone(const MI_Class *self, MI_Class **newClass)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Clone(self, newClass);
}

/*
 * MI_Filter: the condition of a query, made by the host and valid as long as the operation it was
 * passed to (for a subscription, as long as that). A provider may use it to post less.
 */
struct _MI_FilterFT {
    MI_Result (*Evaluate)(const MI_Filter *self, const MI_Instance *instance, MI_Boolean *result);
    MI_Result (*GetExpression)(const MI_Filter *self, const MI_Char **queryLang,
                               const MI_Char **queryExpr);
};

struct _MI_Filter {
    const MI_FilterFT *ft;
    ptrdiff_t reserved[3];
};

MI_INLINE MI_Result MI_Filter_Evaluate(const MI_Filter *self, const MI_Instance *instance,
                                       MI_Boolean *result)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Evaluate(self, instance, result);
}

MI_INLINE MI_Result MI_Filter_GetExpression(const MI_Filter *self, const MI_Char **queryLang,
                                            const MI_Char **queryExpr)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetExpression(self, queryLang, queryExpr);
}

/*
 * MI_PropertySet: names of properties without regard to case. A NULL set means all properties, an
 * empty one means none.
 */
struct _MI_PropertySetFT {
    MI_Result (*GetElementCount)(const MI_PropertySet *self, MI_Uint32 *count);
    MI_Result (*ContainsElement)(const MI_PropertySet *self, const MI_Char *name, MI_Boolean *flag);
    MI_Result (*AddElement)(MI_PropertySet *self, const MI_Char *name);
    MI_Result (*GetElementAt)(const MI_PropertySet *self, MI_Uint32 index, const MI_Char **name);
    MI_Result (*Clear)(MI_PropertySet *self);
    MI_Result (*Destruct)(MI_PropertySet *self);
    MI_Result (*Delete)(MI_PropertySet *self);
    MI_Result (*Clone)(const MI_PropertySet *self, MI_PropertySet **newPropertySet);
};

struct _MI_PropertySet {
    const MI_PropertySetFT *ft;
    ptrdiff_t reserved[3];
};

MI_INLINE MI_Result MI_PropertySet_GetElementCount(const MI_PropertySet *self, MI_Uint32 *count)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElementCount(self, count);
}

MI_INLINE MI_Result MI_PropertySet_ContainsElement(const MI_PropertySet *self, const MI_Char *name,
                                                   MI_Boolean *flag)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->ContainsElement(self, name, flag);
}

MI_INLINE MI_Result MI_PropertySet_AddElement(MI_PropertySet *self, const MI_Char *name)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->AddElement(self, name);
}

MI_INLINE MI_Result MI_PropertySet_GetElementAt(const MI_PropertySet *self, MI_Uint32 index,
                                                const MI_Char **name)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->GetElementAt(self, index, name);
}

MI_INLINE MI_Result MI_PropertySet_Clear(MI_PropertySet *self)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Clear(self);
}

MI_INLINE MI_Result MI_PropertySet_Destruct(MI_PropertySet *self)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Destruct(self);
}

MI_INLINE MI_Result MI_PropertySet_Delete(MI_PropertySet *self)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Delete(self);
}

MI_INLINE MI_Result MI_PropertySet_Clone(const MI_PropertySet *self,
                                         MI_PropertySet **newPropertySet)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Clone(self, newPropertySet);
}

#define MI_PropertySet_GetElement MI_PropertySet_GetElementAt

/* ---- 6. Contexts and the server -------------------------------------------------------------- */

/*
 * MI_Context: a provider's view of one request. The provider posts any number of instances and then
 * exactly one final result (PostResult, PostError or PostCimError), from any thread. The final post
 * ends the context: it, its session and its options are invalid from then on, even before that
 * call has returned.
 */
typedef void (*MI_CancelCallback)(MI_CancellationReason reason, void *callbackData);

struct _MI_ContextFT {
    MI_Result (*PostResult)(MI_Context *context, MI_Result result);
    MI_Result (*PostInstance)(MI_Context *context, const MI_Instance *instance);
    MI_Result (*PostIndication)(MI_Context *context, const MI_Instance *indication,
                                MI_Uint32 subscriptionIDCount, const MI_Char *bookmark);
    MI_Result (*ConstructInstance)(MI_Context *context, const MI_ClassDecl *classDecl,
                                   MI_Instance *instance);
    MI_Result (*ConstructParameters)(MI_Context *context, const MI_MethodDecl *methodDecl,
                                     MI_Instance *parameters);
    MI_Result (*NewInstance)(MI_Context *context, const MI_ClassDecl *classDecl,
                             MI_Instance **instance);
    MI_Result (*NewDynamicInstance)(MI_Context *context, const MI_Char *className, MI_Uint32 flags,
                                    MI_Instance **instance);
    MI_Result (*NewParameters)(MI_Context *context, const MI_MethodDecl *methodDecl,
                               MI_Instance **parameters);
    MI_Result (*Canceled)(const MI_Context *context, MI_Boolean *flag);
    MI_Result (*GetLocale)(const MI_Context *context, MI_LocaleType localeType, MI_Char *locale);
    MI_Result (*RegisterCancel)(MI_Context *context, MI_CancelCallback callback,
                                void *callbackData);
    MI_Result (*RequestUnload)(MI_Context *context);
    MI_Result (*RefuseUnload)(MI_Context *context);
    MI_Result (*GetLocalSession)(const MI_Context *context, MI_Session *session);
    MI_Result (*SetStringOption)(MI_Context *context, const MI_Char *name, const MI_Char *value);
    MI_Result (*GetStringOption)(MI_Context *context, const MI_Char *name, const MI_Char **value);
    MI_Result (*GetNumberOption)(MI_Context *context, const MI_Char *name, MI_Uint32 *value);
    MI_Result (*GetCustomOption)(MI_Context *context, const MI_Char *name, MI_Type *valueType,
                                 MI_Value *value);
    MI_Result (*GetCustomOptionCount)(MI_Context *context, MI_Uint32 *count);
    MI_Result (*GetCustomOptionAt)(MI_Context *context, MI_Uint32 index, const MI_Char **name,
                                   MI_Type *valueType, MI_Value *value);
    MI_Result (*WriteMessage)(MI_Context *context, MI_Uint32 channel, const MI_Char *message);
    MI_Result (*WriteProgress)(MI_Context *context, const MI_Char *activity,
                               const MI_Char *currentOperation, const MI_Char *statusDescription,
                               MI_Uint32 percentComplete, MI_Uint32 secondsRemaining);
    MI_Result (*WriteStreamParameter)(MI_Context *context, const MI_Char *name,
                                      const MI_Value *value, MI_Type type, MI_Uint32 flags);
    MI_Result (*WriteCimError)(MI_Context *context, const MI_Instance *error, MI_Boolean *flag);
    MI_Result (*PromptUser)(MI_Context *context, const MI_Char *message, MI_PromptType promptType,
                            MI_Boolean *flag);
    MI_Result (*ShouldProcess)(MI_Context *context, const MI_Char *target, const MI_Char *action,
                               MI_Boolean *flag);
    MI_Result (*ShouldContinue)(MI_Context *context, const MI_Char *message, MI_Boolean *flag);
    MI_Result (*PostError)(MI_Context *context, MI_Uint32 resultCode, const MI_Char *resultType,
                           const MI_Char *errorMessage);
    MI_Result (*PostCimError)(MI_Context *context, const MI_Instance *error);
    MI_Result (*WriteError)(MI_Context *context, MI_Uint32 resultCode, const MI_Char *resultType,
                            const MI_Char *errorMessage, MI_Boolean *flag);
#if MI_API_VERSION >= 2
    MI_Result (*GetLifecycleIndicationContext)(const MI_Context *context,
                                               MI_LifecycleIndicationContext **lifecycleContext);
#endif
};

struct _MI_Context {
    const MI_ContextFT *ft;
    ptrdiff_t reserved[3];
};

/* The final result of a request. Ends the context. */
MI_INLINE MI_Result MI_Context_PostResult(MI_Context *context, MI_Result result)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostResult(context, result);
}

/* The final result as a CIM_Error. Ends the context. */
MI_INLINE MI_Result MI_Context_PostCimError(MI_Context *context, const MI_Instance *error)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostCimError(context, error);
}

/* The final result as a number of the family resultType (MI_RESULT_TYPE_...). Ends the context. */
MI_INLINE MI_Result MI_Context_PostError(MI_Context *context, MI_Uint32 resultCode,
                                         const MI_Char *resultType, const MI_Char *errorMessage)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostError(context, resultCode, resultType, errorMessage);
}

/* One result of a request. The instance stays the provider's. */
MI_INLINE MI_Result MI_Context_PostInstance(MI_Context *context, const MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostInstance(context, instance);
}

/* One indication. The instance stays the provider's; bookmark may be NULL. */
MI_INLINE MI_Result MI_Context_PostIndication(MI_Context *context, const MI_Instance *indication,
                                              MI_Uint32 subscriptionIDCount,
                                              const MI_Char *bookmark)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostIndication(context, indication, subscriptionIDCount, bookmark);
}

/* Makes an instance in the caller's storage, which must have classDecl->size bytes. */
MI_INLINE MI_Result MI_Context_ConstructInstance(MI_Context *context, const MI_ClassDecl *classDecl,
                                                 MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->ConstructInstance(context, classDecl, instance);
}

MI_INLINE MI_Result MI_Context_ConstructParameters(MI_Context *context,
                                                   const MI_MethodDecl *methodDecl,
                                                   MI_Instance *parameters)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->ConstructParameters(context, methodDecl, parameters);
}

/* Makes an instance on the heap; the provider ends it with MI_Instance_Delete. */
MI_INLINE MI_Result MI_Context_NewInstance(MI_Context *context, const MI_ClassDecl *classDecl,
                                           MI_Instance **instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->NewInstance(context, classDecl, instance);
}

MI_INLINE MI_Result MI_Context_NewDynamicInstance(MI_Context *context, const MI_Char *className,
                                                  MI_Uint32 flags, MI_Instance **instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->NewDynamicInstance(context, className, flags, instance);
}

MI_INLINE MI_Result MI_Context_NewParameters(MI_Context *context, const MI_MethodDecl *methodDecl,
                                             MI_Instance **parameters)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->NewParameters(context, methodDecl, parameters);
}

/* Whether the request has been cancelled; results posted after that are dropped. */
MI_INLINE MI_Result MI_Context_Canceled(const MI_Context *context, MI_Boolean *flag)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->Canceled(context, flag);
}

/*
 * A locale of the request, at most MI_MAX_LOCALE_SIZE bytes with the terminating zero. The buffer
 * holds an empty string when the call fails for whatever reason.
 */
MI_INLINE MI_Result MI_Context_GetLocale(const MI_Context *context, MI_LocaleType localeType,
                                         MI_Char *locale)
{
    if (locale) {
        locale[0] = 0;
    }
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetLocale(context, localeType, locale);
}

/* Asks to be called, maybe on another thread, when the request is cancelled. The last one wins. */
MI_INLINE MI_Result MI_Context_RegisterCancel(MI_Context *context, MI_CancelCallback callback,
                                              void *callbackData)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->RegisterCancel(context, callback, callbackData);
}

/* Takes back an earlier RefuseUnload. */
MI_INLINE MI_Result MI_Context_RequestUnload(MI_Context *context)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->RequestUnload(context);
}

/* Asks the host not to unload an idle provider. Shutting down is not idling. */
MI_INLINE MI_Result MI_Context_RefuseUnload(MI_Context *context)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->RefuseUnload(context);
}

/*
 * A session to the server the provider runs in, bound to the identity of the calling thread. It
 * lives as long as the context and must not be closed. On a NULL context the caller's struct is
 * left as it is.
 */
MI_INLINE MI_Result MI_Context_GetLocalSession(const MI_Context *context, MI_Session *session)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetLocalSession(context, session);
}

/* Options of the request. What is returned is borrowed and valid until the final post. */
MI_INLINE MI_Result MI_Context_SetStringOption(MI_Context *context, const MI_Char *name,
                                               const MI_Char *value)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->SetStringOption(context, name, value);
}

MI_INLINE MI_Result MI_Context_GetStringOption(MI_Context *context, const MI_Char *name,
                                               const MI_Char **value)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetStringOption(context, name, value);
}

MI_INLINE MI_Result MI_Context_GetNumberOption(MI_Context *context, const MI_Char *name,
                                               MI_Uint32 *value)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetNumberOption(context, name, value);
}

MI_INLINE MI_Result MI_Context_GetCustomOption(MI_Context *context, const MI_Char *name,
                                               MI_Type *valueType, MI_Value *value)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetCustomOption(context, name, valueType, value);
}

MI_INLINE MI_Result MI_Context_GetCustomOptionCount(MI_Context *context, MI_Uint32 *count)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetCustomOptionCount(context, count);
}

MI_INLINE MI_Result MI_Context_GetCustomOptionAt(MI_Context *context, MI_Uint32 index,
                                                 const MI_Char **name, MI_Type *valueType,
                                                 MI_Value *value)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetCustomOptionAt(context, index, name, valueType, value);
}

/* Says whether the provider applies the filter itself: the option "__FilterByProvider". */
MI_INLINE MI_Result MI_Context_SetFilterOption(MI_Context *context, MI_Boolean filterFlag)
{
    return MI_Context_SetStringOption(context, MI_T("__FilterByProvider"),
                                      filterFlag ? MI_T("TRUE") : MI_T("FALSE"));
}

/*
 * Questions to the user behind the client. flag is TRUE for "go on", which is also the answer when
 * the client takes no part.
 */
MI_INLINE MI_Result MI_Context_ShouldProcess(MI_Context *context, const MI_Char *target,
                                             const MI_Char *action, MI_Boolean *flag)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->ShouldProcess(context, target, action, flag);
}

MI_INLINE MI_Result MI_Context_ShouldContinue(MI_Context *context, const MI_Char *message,
                                              MI_Boolean *flag)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->ShouldContinue(context, message, flag);
}

MI_INLINE MI_Result MI_Context_PromptUser(MI_Context *context, const MI_Char *message,
                                          MI_PromptType promptType, MI_Boolean *flag)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PromptUser(context, message, promptType, flag);
}

/* Reports an error that is not final; flag says whether to go on. */
MI_INLINE MI_Result MI_Context_WriteError(MI_Context *context, MI_Uint32 resultCode,
                                          const MI_Char *resultType, const MI_Char *errorMessage,
                                          MI_Boolean *flag)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->WriteError(context, resultCode, resultType, errorMessage, flag);
}

MI_INLINE MI_Result MI_Context_WriteCimError(MI_Context *context, const MI_Instance *error,
                                             MI_Boolean *flag)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->WriteCimError(context, error, flag);
}

/* Messages for a client that listens; channel is one of MI_WRITEMESSAGE_CHANNEL_... */
MI_INLINE MI_Result MI_Context_WriteMessage(MI_Context *context, MI_Uint32 channel,
                                            const MI_Char *message)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->WriteMessage(context, channel, message);
}

/* percentComplete is 0 to 100; secondsRemaining is an estimate. */
MI_INLINE MI_Result MI_Context_WriteProgress(MI_Context *context, const MI_Char *activity,
                                             const MI_Char *currentOperation,
                                             const MI_Char *statusDescription,
                                             MI_Uint32 percentComplete, MI_Uint32 secondsRemaining)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->WriteProgress(context, activity, currentOperation, statusDescription,
                                      percentComplete, secondsRemaining);
}

/* A part of a streamed output parameter. MI_FLAG_NULL in flags ends the stream. */
MI_INLINE MI_Result MI_Context_WriteStreamParameter(MI_Context *context, const MI_Char *name,
                                                    const MI_Value *value, MI_Type type,
                                                    MI_Uint32 flags)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->WriteStreamParameter(context, name, value, type, flags);
}

MI_INLINE MI_Result MI_Context_WriteWarning(MI_Context *context, const MI_Char *message)
{
    return MI_Context_WriteMessage(context, MI_WRITEMESSAGE_CHANNEL_WARNING, message);
}

MI_INLINE MI_Result MI_Context_WriteVerbose(MI_Context *context, const MI_Char *message)
{
    return MI_Context_WriteMessage(context, MI_WRITEMESSAGE_CHANNEL_VERBOSE, message);
}

MI_INLINE MI_Result MI_Context_WriteDebug(MI_Context *context, const MI_Char *message)
{
    return MI_Context_WriteMessage(context, MI_WRITEMESSAGE_CHANNEL_DEBUG, message);
}

#if MI_API_VERSION >= 2
/* The object to report changes of a class's instances with; only in the provider's Load. */
MI_INLINE MI_Result MI_Context_GetLifecycleIndicationContext(
    const MI_Context *context, MI_LifecycleIndicationContext **lifecycleContext)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetLifecycleIndicationContext(context, lifecycleContext);
}
#endif

/*
 * MI_Server: what a host gives to a module. It and its tables outlive the module. The variable and
 * the two functions below are the module's own: generated code defines all three (so they can't be
 * inline here), sets the variable in MI_Main and calls through its serverFT without any test.
 */
struct _MI_ServerFT {
    MI_Result (*GetVersion)(MI_Uint32 *version);
    MI_Result (*GetSystemName)(const MI_Char **systemName);
};

struct _MI_Server {
    const MI_ServerFT *serverFT;
    const MI_ContextFT *contextFT;
    const MI_InstanceFT *instanceFT;
    const MI_PropertySetFT *propertySetFT;
    const MI_FilterFT *filterFT;
};

MI_EXTERN_C MI_Server *__mi_server;

/* The host's version, comparable with MI_MAKE_VERSION. */
MI_EXTERN_C MI_Result MI_Server_GetVersion(MI_Uint32 *version);

/* The machine's name as the host reports it; owned by the host. */
MI_EXTERN_C MI_Result MI_Server_GetSystemName(const MI_Char **systemName);

/* ---- 7. Providers and modules ---------------------------------------------------------------- */

/*
 * The functions of a class provider. `self` is what its Load stored, maybe NULL. All answer through
 * the context. An absent one is NULL in the table. In Associators and References className is the
 * association class.
 */
typedef void (*MI_ProviderFT_Load)(void **self, MI_Module_Self *selfModule, MI_Context *context);

typedef void (*MI_ProviderFT_Unload)(void *self, MI_Context *context);

typedef void (*MI_ProviderFT_GetInstance)(void *self, MI_Context *context, const MI_Char *nameSpace,
                                          const MI_Char *className, const MI_Instance *instanceName,
                                          const MI_PropertySet *propertySet);

typedef void (*MI_ProviderFT_EnumerateInstances)(void *self, MI_Context *context,
                                                 const MI_Char *nameSpace, const MI_Char *className,
                                                 const MI_PropertySet *propertySet,
                                                 MI_Boolean keysOnly, const MI_Filter *filter);

typedef void (*MI_ProviderFT_CreateInstance)(void *self, MI_Context *context,
                                             const MI_Char *nameSpace, const MI_Char *className,
                                             const MI_Instance *newInstance);

typedef void (*MI_ProviderFT_ModifyInstance)(void *self, MI_Context *context,
                                             const MI_Char *nameSpace, const MI_Char *className,
                                             const MI_Instance *modifiedInstance,
                                             const MI_PropertySet *propertySet);

typedef void (*MI_ProviderFT_DeleteInstance)(void *self, MI_Context *context,
                                             const MI_Char *nameSpace, const MI_Char *className,
                                             const MI_Instance *instanceName);

typedef void (*MI_ProviderFT_AssociatorInstances)(
    void *self, MI_Context *context, const MI_Char *nameSpace, const MI_Char *className,
    const MI_Instance *instanceName, const MI_Char *resultClass, const MI_Char *role,
    const MI_Char *resultRole, const MI_PropertySet *propertySet, MI_Boolean keysOnly,
    const MI_Filter *filter);

typedef void (*MI_ProviderFT_ReferenceInstances)(void *self, MI_Context *context,
                                                 const MI_Char *nameSpace, const MI_Char *className,
                                                 const MI_Instance *instanceName,
                                                 const MI_Char *role,
                                                 const MI_PropertySet *propertySet,
                                                 MI_Boolean keysOnly, const MI_Filter *filter);

/*
 * The context of EnableIndications stays valid until DisableIndications; the provider posts
 * indications on it from any thread and no final result unless it gives up.
 */
typedef void (*MI_ProviderFT_EnableIndications)(void *self, MI_Context *context,
                                                const MI_Char *nameSpace, const MI_Char *className);

typedef void (*MI_ProviderFT_DisableIndications)(void *self, MI_Context *context,
                                                 const MI_Char *nameSpace,
                                                 const MI_Char *className);

typedef void (*MI_ProviderFT_Subscribe)(void *self, MI_Context *context, const MI_Char *nameSpace,
                                        const MI_Char *className, const MI_Filter *filter,
                                        const MI_Char *bookmark, MI_Uint64 subscriptionID,
                                        void **subscriptionSelf);

typedef void (*MI_ProviderFT_Unsubscribe)(void *self, MI_Context *context, const MI_Char *nameSpace,
                                          const MI_Char *className, MI_Uint64 subscriptionID,
                                          void *subscriptionSelf);

/* For dynamic providers; methods of a static class are called through MI_MethodDecl.function. */
typedef void (*MI_ProviderFT_Invoke)(void *self, MI_Context *context, const MI_Char *nameSpace,
                                     const MI_Char *className, const MI_Char *methodName,
                                     const MI_Instance *instanceName,
                                     const MI_Instance *inputParameters);

struct _MI_ProviderFT {
    MI_ProviderFT_Load Load;
    MI_ProviderFT_Unload Unload;
    MI_ProviderFT_GetInstance GetInstance;
    MI_ProviderFT_EnumerateInstances EnumerateInstances;
    MI_ProviderFT_CreateInstance CreateInstance;
    MI_ProviderFT_ModifyInstance ModifyInstance;
    MI_ProviderFT_DeleteInstance DeleteInstance;
    MI_ProviderFT_AssociatorInstances AssociatorInstances;
    MI_ProviderFT_ReferenceInstances ReferenceInstances;
    MI_ProviderFT_EnableIndications EnableIndications;
    MI_ProviderFT_DisableIndications DisableIndications;
    MI_ProviderFT_Subscribe Subscribe;
    MI_ProviderFT_Unsubscribe Unsubscribe;
    MI_ProviderFT_Invoke Invoke;
};

/*
 * MI_Module: what MI_Main returns, static storage of the module. MI_Module_Self is the module's own
 * struct, defined by it and only passed through by the host. charSize is sizeof(MI_Char);
 * dynamicProviderFT, if not NULL, serves the classes that the schema does not.
 */
typedef void (*MI_Module_Load)(MI_Module_Self **self, MI_Context *context);

typedef void (*MI_Module_Unload)(MI_Module_Self *self, MI_Context *context);

struct _MI_Module {
    MI_Uint32 version;
    MI_Uint32 generatorVersion;
    MI_Uint32 flags;
    MI_Uint32 charSize;
    MI_SchemaDecl *schemaDecl;
    MI_Module_Load Load;
    MI_Module_Unload Unload;
    const MI_ProviderFT *dynamicProviderFT;
};

/* The one function a provider library exports. NULL is a failure to load. */
typedef MI_Module *(*MI_MainFunction)(MI_Server *server);

MI_EXTERN_C MI_EXPORT MI_Module *MI_MAIN_CALL MI_Main(MI_Server *server);

/* ---- 8. Operations and their callbacks ------------------------------------------------------- */

/*
 * The three handles of a client, stored by the caller: an application makes sessions, a session
 * makes operations. Each operation is closed once, failed ones too.
 */
struct _MI_Application {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_ApplicationFT *ft;
};

#define MI_APPLICATION_NULL                                                                        \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

struct _MI_Session {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_SessionFT *ft;
};

#define MI_SESSION_NULL                                                                            \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

struct _MI_Operation {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_OperationFT *ft;
};

#define MI_OPERATION_NULL                                                                          \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

/*
 * Callbacks of an operation. The host copies the struct at the call. If the callback for the
 * operation's kind of result is set the operation is asynchronous: it is called for each result
 * and for the last time with moreResults FALSE, exactly once. Otherwise results are fetched with
 * MI_Operation_Get...
 *
 * What a callback receives is valid until it returns. With MI_OPERATIONFLAGS_MANUAL_ACK_RESULTS,
 * resultAcknowledgement is not NULL and results stay valid until it has been called; nothing
 * further is delivered before. promptUserResult and writeErrorResult are NULL where no answer is
 * wanted.
 */
typedef void (*MI_OperationCallback_PromptUser)(
    MI_Operation *operation, void *callbackContext, const MI_Char *message,
    MI_PromptType promptType,
    MI_Result (*promptUserResult)(MI_Operation *operation,
                                  MI_OperationCallback_ResponseType response));

typedef void (*MI_OperationCallback_WriteError)(
    MI_Operation *operation, void *callbackContext, MI_Instance *instance,
    MI_Result (*writeErrorResult)(MI_Operation *operation,
                                  MI_OperationCallback_ResponseType response));

typedef void (*MI_OperationCallback_WriteMessage)(MI_Operation *operation, void *callbackContext,
                                                  MI_Uint32 channel, const MI_Char *message);

typedef void (*MI_OperationCallback_WriteProgress)(MI_Operation *operation, void *callbackContext,
                                                   const MI_Char *activity,
                                                   const MI_Char *currentOperation,
                                                   const MI_Char *statusDescription,
                                                   MI_Uint32 percentComplete,
                                                   MI_Uint32 secondsRemaining);

typedef void (*MI_OperationCallback_Instance)(
    MI_Operation *operation, void *callbackContext, const MI_Instance *instance,
    MI_Boolean moreResults, MI_Result resultCode, const MI_Char *errorString,
    const MI_Instance *errorDetails, MI_Result (*resultAcknowledgement)(MI_Operation *operation));

typedef void (*MI_OperationCallback_Indication)(
    MI_Operation *operation, void *callbackContext, const MI_Instance *instance,
    const MI_Char *bookmark, const MI_Char *machineID, MI_Boolean moreResults, MI_Result resultCode,
    const MI_Char *errorString, const MI_Instance *errorDetails,
    MI_Result (*resultAcknowledgement)(MI_Operation *operation));

typedef void (*MI_OperationCallback_Class)(
    MI_Operation *operation, void *callbackContext, const MI_Class *classResult,
    MI_Boolean moreResults, MI_Result resultCode, const MI_Char *errorString,
    const MI_Instance *errorDetails, MI_Result (*resultAcknowledgement)(MI_Operation *operation));

typedef void (*MI_OperationCallback_StreamedParameter)(
    MI_Operation *operation, void *callbackContext, const MI_Char *parameterName,
    MI_Type resultType, const MI_Value *result,
    MI_Result (*resultAcknowledgement)(MI_Operation *operation));

struct _MI_OperationCallbacks {
    void *callbackContext;
    MI_OperationCallback_PromptUser promptUser;
    MI_OperationCallback_WriteError writeError;
    MI_OperationCallback_WriteMessage writeMessage;
    MI_OperationCallback_WriteProgress writeProgress;
    MI_OperationCallback_Instance instanceResult;
    MI_OperationCallback_Indication indicationResult;
    MI_OperationCallback_Class classResult;
    MI_OperationCallback_StreamedParameter streamedParameterResult;
};

#define MI_OPERATIONCALLBACKS_NULL                                                                 \
    {                                                                                              \
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL                                       \
    }

/* Callbacks while a session is being made: information only, no answers. */
struct _MI_SessionCallbacks {
    void *callbackContext;
    void (*writeMessage)(MI_Application *application, void *callbackContext, MI_Uint32 channel,
                         const MI_Char *message);
    void (*writeError)(MI_Application *application, void *callbackContext, MI_Instance *instance);
};

#define MI_SESSIONCALLBACKS_NULL                                                                   \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }

/* ---- 9. Sessions ----------------------------------------------------------------------------- */

/* MI_Session: the way to a server, bound to the identity it was made under. */
struct _MI_SessionFT {
    MI_Result (*Close)(MI_Session *session, void *completionContext,
                       void (*completionCallback)(void *));
    MI_Result (*GetApplication)(MI_Session *session, MI_Application *application);
    void (*GetInstance)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                        const MI_Char *namespaceName, const MI_Instance *inboundInstance,
                        MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*ModifyInstance)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                           const MI_Char *namespaceName, const MI_Instance *inboundInstance,
                           MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*CreateInstance)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                           const MI_Char *namespaceName, const MI_Instance *inboundInstance,
                           MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*DeleteInstance)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                           const MI_Char *namespaceName, const MI_Instance *inboundInstance,
                           MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*Invoke)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                   const MI_Char *namespaceName, const MI_Char *className,
                   const MI_Char *methodName, const MI_Instance *inboundInstance,
                   const MI_Instance *inboundProperties, MI_OperationCallbacks *callbacks,
                   MI_Operation *operation);
    void (*EnumerateInstances)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                               const MI_Char *namespaceName, const MI_Char *className,
                               MI_Boolean keysOnly, MI_OperationCallbacks *callbacks,
                               MI_Operation *operation);
    void (*QueryInstances)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                           const MI_Char *namespaceName, const MI_Char *queryDialect,
                           const MI_Char *queryExpression, MI_OperationCallbacks *callbacks,
                           MI_Operation *operation);
    void (*AssociatorInstances)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                                const MI_Char *namespaceName, const MI_Instance *instanceKeys,
                                const MI_Char *assocClass, const MI_Char *resultClass,
                                const MI_Char *role, const MI_Char *resultRole, MI_Boolean keysOnly,
                                MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*ReferenceInstances)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                               const MI_Char *namespaceName, const MI_Instance *instanceKeys,
                               const MI_Char *resultClass, const MI_Char *role, MI_Boolean keysOnly,
                               MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*Subscribe)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                      const MI_Char *namespaceName, const MI_Char *queryDialect,
                      const MI_Char *queryExpression,
                      const MI_SubscriptionDeliveryOptions *deliveryOptions,
                      MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*GetClass)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                     const MI_Char *namespaceName, const MI_Char *className,
                     MI_OperationCallbacks *callbacks, MI_Operation *operation);
    void (*EnumerateClasses)(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                             const MI_Char *namespaceName, const MI_Char *className,
                             MI_Boolean classNamesOnly, MI_OperationCallbacks *callbacks,
                             MI_Operation *operation);
    void (*TestConnection)(MI_Session *session, MI_Uint32 flags, MI_OperationCallbacks *callbacks,
                           MI_Operation *operation);
};

/*
 * Ends a session made by MI_Application_NewSession, when all its operations have been closed.
 * Without completionCallback it waits for that; with one it returns at once and calls it later.
 * On a NULL session the callback is called and the answer is OK; without a callback it is
 * MI_RESULT_INVALID_PARAMETER.
 */
MI_INLINE MI_Result MI_Session_Close(MI_Session *session, void *completionContext,
                                     void (*completionCallback)(void *))
{
    if (session && session->ft) {
        return session->ft->Close(session, completionContext, completionCallback);
    }
    if (completionCallback) {
        completionCallback(completionContext);
        return MI_RESULT_OK;
    }
    return MI_RESULT_INVALID_PARAMETER;
}

/* A copy of the handle of the application that the session belongs to. */
MI_INLINE MI_Result MI_Session_GetApplication(MI_Session *session, MI_Application *application)
{
    if (!session || !session->ft) {
        if (application) {
            memset(application, 0, sizeof(*application));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return session->ft->GetApplication(session, application);
}

/*
 * Refusal of a call on a NULL session, not part of the API: there is no session that could make an
 * operation, so the operation is zeroed and the result callback for its kind, if set, gets one
 * final MI_RESULT_INVALID_PARAMETER before the call returns.
 */
MI_INLINE void MI_Private_RefuseInstance(MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (operation) {
        memset(operation, 0, sizeof(*operation));
    }
    if (callbacks && callbacks->instanceResult) {
        callbacks->instanceResult(NULL, callbacks->callbackContext, NULL, MI_FALSE,
                                  MI_RESULT_INVALID_PARAMETER, NULL, NULL, NULL);
    }
}

MI_INLINE void MI_Private_RefuseIndication(MI_OperationCallbacks *callbacks,
                                           MI_Operation *operation)
{
    if (operation) {
        memset(operation, 0, sizeof(*operation));
    }
    if (callbacks && callbacks->indicationResult) {
        callbacks->indicationResult(NULL, callbacks->callbackContext, NULL, NULL, NULL, MI_FALSE,
                                    MI_RESULT_INVALID_PARAMETER, NULL, NULL, NULL);
    }
}

MI_INLINE void MI_Private_RefuseClass(MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (operation) {
        memset(operation, 0, sizeof(*operation));
    }
    if (callbacks && callbacks->classResult) {
        callbacks->classResult(NULL, callbacks->callbackContext, NULL, MI_FALSE,
                               MI_RESULT_INVALID_PARAMETER, NULL, NULL, NULL);
    }
}

/*
 * Starting an operation. flags is a union of MI_OPERATIONFLAGS_..., options and callbacks may be
 * NULL. The call fills *operation, also when it fails: the failure is a result like any other and
 * is fetched with MI_Operation_Get... or delivered to the callback. Instances and strings need to
 * live until the call returns. On a NULL session see MI_Private_RefuseInstance.
 */
MI_INLINE void MI_Session_GetInstance(MI_Session *session, MI_Uint32 flags,
                                      MI_OperationOptions *options, const MI_Char *namespaceName,
                                      const MI_Instance *inboundInstance,
                                      MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->GetInstance(session, flags, options, namespaceName, inboundInstance, callbacks,
                             operation);
}

MI_INLINE void MI_Session_ModifyInstance(MI_Session *session, MI_Uint32 flags,
                                         MI_OperationOptions *options, const MI_Char *namespaceName,
                                         const MI_Instance *inboundInstance,
                                         MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->ModifyInstance(session, flags, options, namespaceName, inboundInstance, callbacks,
                                operation);
}

MI_INLINE void MI_Session_CreateInstance(MI_Session *session, MI_Uint32 flags,
                                         MI_OperationOptions *options, const MI_Char *namespaceName,
                                         const MI_Instance *inboundInstance,
                                         MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->CreateInstance(session, flags, options, namespaceName, inboundInstance, callbacks,
                                operation);
}

MI_INLINE void MI_Session_DeleteInstance(MI_Session *session, MI_Uint32 flags,
                                         MI_OperationOptions *options, const MI_Char *namespaceName,
                                         const MI_Instance *inboundInstance,
                                         MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->DeleteInstance(session, flags, options, namespaceName, inboundInstance, callbacks,
                                operation);
}

/* inboundInstance NULL calls a static method; inboundProperties NULL passes no parameters. */
MI_INLINE void MI_Session_Invoke(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                                 const MI_Char *namespaceName, const MI_Char *className,
                                 const MI_Char *methodName, const MI_Instance *inboundInstance,
                                 const MI_Instance *inboundProperties,
                                 MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->Invoke(session, flags, options, namespaceName, className, methodName,
                        inboundInstance, inboundProperties, callbacks, operation);
}

MI_INLINE void MI_Session_EnumerateInstances(MI_Session *session, MI_Uint32 flags,
                                             MI_OperationOptions *options,
                                             const MI_Char *namespaceName, const MI_Char *className,
                                             MI_Boolean keysOnly, MI_OperationCallbacks *callbacks,
                                             MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->EnumerateInstances(session, flags, options, namespaceName, className, keysOnly,
                                    callbacks, operation);
}

MI_INLINE void MI_Session_QueryInstances(MI_Session *session, MI_Uint32 flags,
                                         MI_OperationOptions *options, const MI_Char *namespaceName,
                                         const MI_Char *queryDialect,
                                         const MI_Char *queryExpression,
                                         MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->QueryInstances(session, flags, options, namespaceName, queryDialect,
                                queryExpression, callbacks, operation);
}

MI_INLINE void
MI_Session_AssociatorInstances(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                               const MI_Char *namespaceName, const MI_Instance *instanceKeys,
                               const MI_Char *assocClass, const MI_Char *resultClass,
                               const MI_Char *role, const MI_Char *resultRole, MI_Boolean keysOnly,
                               MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->AssociatorInstances(session, flags, options, namespaceName, instanceKeys,
                                     assocClass, resultClass, role, resultRole, keysOnly, callbacks,
                                     operation);
}

MI_INLINE void
MI_Session_ReferenceInstances(MI_Session *session, MI_Uint32 flags, MI_OperationOptions *options,
                              const MI_Char *namespaceName, const MI_Instance *instanceKeys,
                              const MI_Char *resultClass, const MI_Char *role, MI_Boolean keysOnly,
                              MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->ReferenceInstances(session, flags, options, namespaceName, instanceKeys,
                                    resultClass, role, keysOnly, callbacks, operation);
}

MI_INLINE void MI_Session_Subscribe(MI_Session *session, MI_Uint32 flags,
                                    MI_OperationOptions *options, const MI_Char *namespaceName,
                                    const MI_Char *queryDialect, const MI_Char *queryExpression,
                                    const MI_SubscriptionDeliveryOptions *deliveryOptions,
                                    MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseIndication(callbacks, operation);
        return;
    }
    session->ft->Subscribe(session, flags, options, namespaceName, queryDialect, queryExpression,
                           deliveryOptions, callbacks, operation);
}

MI_INLINE void MI_Session_GetClass(MI_Session *session, MI_Uint32 flags,
                                   MI_OperationOptions *options, const MI_Char *namespaceName,
                                   const MI_Char *className, MI_OperationCallbacks *callbacks,
                                   MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseClass(callbacks, operation);
        return;
    }
    session->ft->GetClass(session, flags, options, namespaceName, className, callbacks, operation);
}

MI_INLINE void MI_Session_EnumerateClasses(MI_Session *session, MI_Uint32 flags,
                                           MI_OperationOptions *options,
                                           const MI_Char *namespaceName, const MI_Char *className,
                                           MI_Boolean classNamesOnly,
                                           MI_OperationCallbacks *callbacks,
                                           MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseClass(callbacks, operation);
        return;
    }
    session->ft->EnumerateClasses(session, flags, options, namespaceName, className, classNamesOnly,
                                  callbacks, operation);
}

MI_INLINE void MI_Session_TestConnection(MI_Session *session, MI_Uint32 flags,
                                         MI_OperationCallbacks *callbacks, MI_Operation *operation)
{
    if (!session || !session->ft) {
        MI_Private_RefuseInstance(callbacks, operation);
        return;
    }
    session->ft->TestConnection(session, flags, callbacks, operation);
}

/* ---- 10. Operation results ------------------------------------------------------------------- */

struct _MI_OperationFT {
    MI_Result (*Close)(MI_Operation *operation);
    MI_Result (*Cancel)(MI_Operation *operation, MI_CancellationReason reason);
    MI_Result (*GetSession)(MI_Operation *operation, MI_Session *session);
    MI_Result (*GetInstance)(MI_Operation *operation, const MI_Instance **instance,
                             MI_Boolean *moreResults, MI_Result *result,
                             const MI_Char **errorMessage, const MI_Instance **completionDetails);
    MI_Result (*GetIndication)(MI_Operation *operation, const MI_Instance **instance,
                               const MI_Char **bookmark, const MI_Char **machineID,
                               MI_Boolean *moreResults, MI_Result *result,
                               const MI_Char **errorMessage, const MI_Instance **completionDetails);
    MI_Result (*GetClass)(MI_Operation *operation, const MI_Class **classResult,
                          MI_Boolean *moreResults, MI_Result *result, const MI_Char **errorMessage,
                          const MI_Instance **completionDetails);
};

/* Get... on a NULL operation, not part of the API: only these two outputs are written. */
MI_INLINE MI_Result MI_Private_NoOperation(MI_Boolean *moreResults, MI_Result *result)
{
    if (moreResults) {
        *moreResults = MI_FALSE;
    }
    if (result) {
        *result = MI_RESULT_INVALID_PARAMETER;
    }
    return MI_RESULT_INVALID_PARAMETER;
}

/*
 * Waits for the next result of an operation that has no result callback. The answer is OK also when
 * the operation itself failed: then *result says how. The outputs after the first may be NULL; what
 * they point to belongs to the operation until the next Get or Close. moreResults FALSE is the end;
 * the last item may come together with it. On a NULL operation only *moreResults (FALSE) and
 * *result (MI_RESULT_INVALID_PARAMETER) are set.
 */
MI_INLINE MI_Result MI_Operation_GetInstance(MI_Operation *operation, const MI_Instance **instance,
                                             MI_Boolean *moreResults, MI_Result *result,
                                             const MI_Char **errorMessage,
                                             const MI_Instance **completionDetails)
{
    if (!operation || !operation->ft) {
        return MI_Private_NoOperation(moreResults, result);
    }
    return operation->ft->GetInstance(operation, instance, moreResults, result, errorMessage,
                                      completionDetails);
}

MI_INLINE MI_Result MI_Operation_GetIndication(MI_Operation *operation,
                                               const MI_Instance **instance,
                                               const MI_Char **bookmark, const MI_Char **machineID,
                                               MI_Boolean *moreResults, MI_Result *result,
                                               const MI_Char **errorMessage,
                                               const MI_Instance **completionDetails)
{
    if (!operation || !operation->ft) {
        return MI_Private_NoOperation(moreResults, result);
    }
    return operation->ft->GetIndication(operation, instance, bookmark, machineID, moreResults,
                                        result, errorMessage, completionDetails);
}

MI_INLINE MI_Result MI_Operation_GetClass(MI_Operation *operation, const MI_Class **classResult,
                                          MI_Boolean *moreResults, MI_Result *result,
                                          const MI_Char **errorMessage,
                                          const MI_Instance **completionDetails)
{
    if (!operation || !operation->ft) {
        return MI_Private_NoOperation(moreResults, result);
    }
    return operation->ft->GetClass(operation, classResult, moreResults, result, errorMessage,
                                   completionDetails);
}

/* Ends the operation, cancelling what is left of it. Under the identity it was started under. */
MI_INLINE MI_Result MI_Operation_Close(MI_Operation *operation)
{
    if (!operation || !operation->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return operation->ft->Close(operation);
}

/* Asks for the operation to stop. Its results must still be fetched and it must be closed. */
MI_INLINE MI_Result MI_Operation_Cancel(MI_Operation *operation, MI_CancellationReason reason)
{
    if (!operation || !operation->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return operation->ft->Cancel(operation, reason);
}

/* A copy of the handle of the session that the operation was started on; not to be closed. */
MI_INLINE MI_Result MI_Operation_GetSession(MI_Operation *operation, MI_Session *session)
{
    if (!operation || !operation->ft) {
        if (session) {
            memset(session, 0, sizeof(*session));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return operation->ft->GetSession(operation, session);
}

/* ---- 11. Options ----------------------------------------------------------------------------- */

/*
 * Options are named strings, numbers, intervals and credentials behind a few generic slots. The
 * names are part of the API: they are what the host and the transport see. `index` and `flags` may
 * be NULL where they are outputs; flags must be 0 where they are inputs. What is returned belongs
 * to the options object.
 *
 * MI_PRIVATE_..._OPTION(KIND, NAME, ..., KEY) defines KIND_SetNAME and KIND_GetNAME, which store
 * the value under KEY. Booleans and enumerations are stored as numbers.
 */
#define MI_PRIVATE_OPTION(KIND, NAME, SLOT, SET_TYPE, GET_TYPE, KEY)                               \
    MI_INLINE MI_Result KIND##_Set##NAME(KIND *options, SET_TYPE value)                            \
    {                                                                                              \
        if (!options || !options->ft) {                                                            \
            return MI_RESULT_INVALID_PARAMETER;                                                    \
        }                                                                                          \
        return options->ft->Set##SLOT(options, MI_T(KEY), value, 0);                               \
    }                                                                                              \
    MI_INLINE MI_Result KIND##_Get##NAME(const KIND *options, GET_TYPE value)                      \
    {                                                                                              \
        if (!options || !options->ft) {                                                            \
            return MI_RESULT_INVALID_PARAMETER;                                                    \
        }                                                                                          \
        return options->ft->Get##SLOT(options, MI_T(KEY), value, NULL, NULL);                      \
    }

#define MI_PRIVATE_STRING_OPTION(KIND, NAME, KEY)                                                  \
    MI_PRIVATE_OPTION(KIND, NAME, String, const MI_Char *, const MI_Char **, KEY)

#define MI_PRIVATE_NUMBER_OPTION(KIND, NAME, KEY)                                                  \
    MI_PRIVATE_OPTION(KIND, NAME, Number, MI_Uint32, MI_Uint32 *, KEY)

#define MI_PRIVATE_INTERVAL_OPTION(KIND, NAME, KEY)                                                \
    MI_PRIVATE_OPTION(KIND, NAME, Interval, const MI_Interval *, MI_Interval *, KEY)

#define MI_PRIVATE_CODED_OPTION(KIND, NAME, TYPE, DECODED, KEY)                                    \
    MI_INLINE MI_Result KIND##_Set##NAME(KIND *options, TYPE value)                                \
    {                                                                                              \
        if (!options || !options->ft) {                                                            \
            return MI_RESULT_INVALID_PARAMETER;                                                    \
        }                                                                                          \
        return options->ft->SetNumber(options, MI_T(KEY), (MI_Uint32)value, 0);                    \
    }                                                                                              \
    MI_INLINE MI_Result KIND##_Get##NAME(const KIND *options, TYPE *value)                         \
    {                                                                                              \
        MI_Uint32 number = 0;                                                                      \
        MI_Result result;                                                                          \
                                                                                                   \
        if (!options || !options->ft) {                                                            \
            return MI_RESULT_INVALID_PARAMETER;                                                    \
        }                                                                                          \
        result = options->ft->GetNumber(options, MI_T(KEY), value ? &number : NULL, NULL, NULL);   \
        if (result == MI_RESULT_OK && value) {                                                     \
            *value = (TYPE)(DECODED);                                                              \
        }                                                                                          \
        return result;                                                                             \
    }

#define MI_PRIVATE_BOOLEAN_OPTION(KIND, NAME, KEY)                                                 \
    MI_PRIVATE_CODED_OPTION(KIND, NAME, MI_Boolean, number != 0, KEY)

#define MI_PRIVATE_ENUM_OPTION(KIND, NAME, TYPE, KEY)                                              \
    MI_PRIVATE_CODED_OPTION(KIND, NAME, TYPE, number, KEY)

/* Credentials of a user: a password, or the thumbprint of a certificate. The host copies them. */
struct _MI_UsernamePasswordCreds {
    const MI_Char *domain;
    const MI_Char *username;
    const MI_Char *password;
};

struct _MI_UserCredentials {
    const MI_Char *authenticationType;
    union {
        MI_UsernamePasswordCreds usernamePassword;
        const MI_Char *certificateThumbprint;
    } credentials;
};

/* MI_OperationOptions: options of one operation; read at the call that starts it. */
struct _MI_OperationOptionsFT {
    void (*Delete)(MI_OperationOptions *options);
    MI_Result (*SetString)(MI_OperationOptions *options, const MI_Char *optionName,
                           const MI_Char *value, MI_Uint32 flags);
    MI_Result (*SetNumber)(MI_OperationOptions *options, const MI_Char *optionName, MI_Uint32 value,
                           MI_Uint32 flags);
    MI_Result (*SetCustomOption)(MI_OperationOptions *options, const MI_Char *optionName,
                                 MI_Type valueType, const MI_Value *value, MI_Boolean mustComply,
                                 MI_Uint32 flags);
    MI_Result (*GetString)(const MI_OperationOptions *options, const MI_Char *optionName,
                           const MI_Char **value, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetNumber)(const MI_OperationOptions *options, const MI_Char *optionName,
                           MI_Uint32 *value, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetOptionCount)(const MI_OperationOptions *options, MI_Uint32 *count);
    MI_Result (*GetOptionAt)(const MI_OperationOptions *options, MI_Uint32 index,
                             const MI_Char **optionName, MI_Value *value, MI_Type *type,
                             MI_Uint32 *flags);
    MI_Result (*GetOption)(const MI_OperationOptions *options, const MI_Char *optionName,
                           MI_Value *value, MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetEnabledChannels)(const MI_OperationOptions *options, const MI_Char *optionName,
                                    MI_Uint32 *channels, MI_Uint32 bufferLength,
                                    MI_Uint32 *channelCount, MI_Uint32 *flags);
    MI_Result (*Clone)(const MI_OperationOptions *self, MI_OperationOptions *newOptions);
    MI_Result (*SetInterval)(MI_OperationOptions *options, const MI_Char *optionName,
                             const MI_Interval *value, MI_Uint32 flags);
    MI_Result (*GetInterval)(const MI_OperationOptions *options, const MI_Char *optionName,
                             MI_Interval *value, MI_Uint32 *index, MI_Uint32 *flags);
};

struct _MI_OperationOptions {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_OperationOptionsFT *ft;
};

#define MI_OPERATIONOPTIONS_NULL                                                                   \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

MI_INLINE void MI_OperationOptions_Delete(MI_OperationOptions *options)
{
    if (options && options->ft) {
        options->ft->Delete(options);
    }
}

/* What happens when the provider reports an error that is not final. Default: REPORT. */
MI_PRIVATE_ENUM_OPTION(MI_OperationOptions, WriteErrorMode, MI_CallbackMode,
                       "__MI_OPERATIONOPTIONS_WRITEERRORMODE")

/* What happens to questions of the provider. Default: INQUIRE. */
MI_PRIVATE_ENUM_OPTION(MI_OperationOptions, PromptUserMode, MI_CallbackMode,
                       "__MI_OPERATIONOPTIONS_PROMPTUSERMODE")

/* The same together with the answer that is given when the client is not asked. */
MI_INLINE MI_Result MI_OperationOptions_SetPromptUserRegularMode(MI_OperationOptions *options,
                                                                 MI_CallbackMode mode,
                                                                 MI_Boolean ackValue)
{
    MI_Result result = MI_OperationOptions_SetPromptUserMode(options, mode);

    if (result != MI_RESULT_OK) {
        return result;
    }
    return options->ft->SetNumber(
        options, MI_T("__MI_OPERATIONOPTIONS_PROMPTUSERMODEREGULAR_ACKVALUE"), ackValue, 0);
}

MI_INLINE MI_Result MI_OperationOptions_GetPromptUserRegularMode(const MI_OperationOptions *options,
                                                                 MI_CallbackMode *mode,
                                                                 MI_Boolean *ackValue)
{
    MI_Uint32 number = 0;
    MI_Result result = MI_OperationOptions_GetPromptUserMode(options, mode);

    if (result != MI_RESULT_OK) {
        return result;
    }
    result = options->ft->GetNumber(options,
                                    MI_T("__MI_OPERATIONOPTIONS_PROMPTUSERMODEREGULAR_ACKVALUE"),
                                    ackValue ? &number : NULL, NULL, NULL);
    if (result == MI_RESULT_OK && ackValue) {
        *ackValue = number ? MI_TRUE : MI_FALSE;
    }
    return result;
}

/* Word size of the provider's host, and whether the request fails if it cannot be had. */
MI_INLINE MI_Result MI_OperationOptions_SetProviderArchitecture(
    MI_OperationOptions *options, MI_ProviderArchitecture architecture, MI_Boolean mustComply)
{
    MI_Result result;

    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    result = options->ft->SetNumber(options, MI_T("__MI_OPERATIONOPTIONS_PROVIDER_ARCHITECTURE"),
                                    (MI_Uint32)architecture, 0);
    if (result != MI_RESULT_OK) {
        return result;
    }
    return options->ft->SetNumber(options, MI_T("__MI_OPERATIONOPTIONS_REQUIRED_ARCHITECTURE"),
                                  mustComply, 0);
}

MI_INLINE MI_Result MI_OperationOptions_GetProviderArchitecture(
    const MI_OperationOptions *options, MI_ProviderArchitecture *architecture,
    MI_Boolean *mustComply)
{
    MI_Uint32 number = 0;
    MI_Result result;

    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    result = options->ft->GetNumber(options, MI_T("__MI_OPERATIONOPTIONS_PROVIDER_ARCHITECTURE"),
                                    architecture ? &number : NULL, NULL, NULL);
    if (result != MI_RESULT_OK) {
        return result;
    }
    if (architecture) {
        *architecture = (MI_ProviderArchitecture)number;
    }
    result = options->ft->GetNumber(options, MI_T("__MI_OPERATIONOPTIONS_REQUIRED_ARCHITECTURE"),
                                    mustComply ? &number : NULL, NULL, NULL);
    if (result == MI_RESULT_OK && mustComply) {
        *mustComply = number ? MI_TRUE : MI_FALSE;
    }
    return result;
}

/*
 * Message channels, MI_WRITEMESSAGE_CHANNEL_... or the client's own numbers. Each is a number under
 * the same name, with flags 0 for enabled and 1 for disabled: the only use of flags.
 */
MI_INLINE MI_Result MI_OperationOptions_EnableChannel(MI_OperationOptions *options,
                                                      MI_Uint32 channel)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetNumber(options, MI_T("__MI_OPERATIONOPTIONS_CHANNEL"), channel, 0);
}

MI_INLINE MI_Result MI_OperationOptions_DisableChannel(MI_OperationOptions *options,
                                                       MI_Uint32 channel)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetNumber(options, MI_T("__MI_OPERATIONOPTIONS_CHANNEL"), channel, 1);
}

/* bufferLength is the number of elements of channels; channelCount what there are. */
MI_INLINE MI_Result MI_OperationOptions_GetEnabledChannels(const MI_OperationOptions *options,
                                                           MI_Uint32 *channels,
                                                           MI_Uint32 bufferLength,
                                                           MI_Uint32 *channelCount,
                                                           MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetEnabledChannels(options, MI_T("__MI_OPERATIONOPTIONS_CHANNEL"), channels,
                                           bufferLength, channelCount, flags);
}

/* How long the operation may take. */
MI_PRIVATE_INTERVAL_OPTION(MI_OperationOptions, Timeout, "__MI_OPERATIONOPTIONS_TIMEOUT")

MI_PRIVATE_STRING_OPTION(MI_OperationOptions, ResourceUriPrefix,
                         "__MI_OPERATIONOPTIONS_RESOURCE_URI_PREFIX")

MI_PRIVATE_STRING_OPTION(MI_OperationOptions, ResourceUri, "__MI_OPERATIONOPTIONS_RESOURCE_URI")

MI_PRIVATE_BOOLEAN_OPTION(MI_OperationOptions, UseMachineID, "__MI_OPERATIONOPTIONS_USE_MACHINE_ID")

/* An option for the provider. With mustComply a server that does not know it fails the request. */
MI_INLINE MI_Result MI_OperationOptions_SetCustomOption(MI_OperationOptions *options,
                                                        const MI_Char *optionName,
                                                        MI_Type valueType, const MI_Value *value,
                                                        MI_Boolean mustComply)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetCustomOption(options, optionName, valueType, value, mustComply, 0);
}

MI_INLINE MI_Result MI_OperationOptions_GetOptionCount(const MI_OperationOptions *options,
                                                       MI_Uint32 *count)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOptionCount(options, count);
}

MI_INLINE MI_Result MI_OperationOptions_GetOptionAt(const MI_OperationOptions *options,
                                                    MI_Uint32 index, const MI_Char **optionName,
                                                    MI_Value *value, MI_Type *type,
                                                    MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOptionAt(options, index, optionName, value, type, flags);
}

MI_INLINE MI_Result MI_OperationOptions_SetString(MI_OperationOptions *options,
                                                  const MI_Char *optionName, const MI_Char *value,
                                                  MI_Uint32 flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetString(options, optionName, value, flags);
}

MI_INLINE MI_Result MI_OperationOptions_GetString(const MI_OperationOptions *options,
                                                  const MI_Char *optionName, const MI_Char **value,
                                                  MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetString(options, optionName, value, index, flags);
}

MI_INLINE MI_Result MI_OperationOptions_SetNumber(MI_OperationOptions *options,
                                                  const MI_Char *optionName, MI_Uint32 value,
                                                  MI_Uint32 flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetNumber(options, optionName, value, flags);
}

MI_INLINE MI_Result MI_OperationOptions_GetNumber(const MI_OperationOptions *options,
                                                  const MI_Char *optionName, MI_Uint32 *value,
                                                  MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetNumber(options, optionName, value, index, flags);
}

MI_INLINE MI_Result MI_OperationOptions_GetOption(const MI_OperationOptions *options,
                                                  const MI_Char *optionName, MI_Value *value,
                                                  MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOption(options, optionName, value, type, index, flags);
}

/* A copy that the caller ends with MI_OperationOptions_Delete. */
MI_INLINE MI_Result MI_OperationOptions_Clone(const MI_OperationOptions *self,
                                              MI_OperationOptions *newOptions)
{
    if (!self || !self->ft) {
        if (newOptions) {
            memset(newOptions, 0, sizeof(*newOptions));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Clone(self, newOptions);
}

/* MI_DestinationOptions: options of a session, read by MI_Application_NewSession. */
struct _MI_DestinationOptionsFT {
    void (*Delete)(MI_DestinationOptions *options);
    MI_Result (*SetString)(MI_DestinationOptions *options, const MI_Char *optionName,
                           const MI_Char *value, MI_Uint32 flags);
    MI_Result (*SetNumber)(MI_DestinationOptions *options, const MI_Char *optionName,
                           MI_Uint32 value, MI_Uint32 flags);
    MI_Result (*AddCredentials)(MI_DestinationOptions *options, const MI_Char *optionName,
                                const MI_UserCredentials *credentials, MI_Uint32 flags);
    MI_Result (*GetString)(const MI_DestinationOptions *options, const MI_Char *optionName,
                           const MI_Char **value, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetNumber)(const MI_DestinationOptions *options, const MI_Char *optionName,
                           MI_Uint32 *value, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetOptionCount)(const MI_DestinationOptions *options, MI_Uint32 *count);
    MI_Result (*GetOptionAt)(const MI_DestinationOptions *options, MI_Uint32 index,
                             const MI_Char **optionName, MI_Value *value, MI_Type *type,
                             MI_Uint32 *flags);
    MI_Result (*GetOption)(const MI_DestinationOptions *options, const MI_Char *optionName,
                           MI_Value *value, MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetCredentialsCount)(const MI_DestinationOptions *options, MI_Uint32 *count);
    MI_Result (*GetCredentialsAt)(const MI_DestinationOptions *options, MI_Uint32 index,
                                  const MI_Char **optionName, MI_UserCredentials *credentials,
                                  MI_Uint32 *flags);
    MI_Result (*GetCredentialsPasswordAt)(const MI_DestinationOptions *options, MI_Uint32 index,
                                          const MI_Char **optionName, MI_Char *password,
                                          MI_Uint32 bufferLength, MI_Uint32 *passwordLength,
                                          MI_Uint32 *flags);
    MI_Result (*Clone)(const MI_DestinationOptions *self, MI_DestinationOptions *newOptions);
    MI_Result (*SetInterval)(MI_DestinationOptions *options, const MI_Char *optionName,
                             const MI_Interval *value, MI_Uint32 flags);
    MI_Result (*GetInterval)(const MI_DestinationOptions *options, const MI_Char *optionName,
                             MI_Interval *value, MI_Uint32 *index, MI_Uint32 *flags);
};

struct _MI_DestinationOptions {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_DestinationOptionsFT *ft;
};

#define MI_DESTINATIONOPTIONS_NULL                                                                 \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

MI_INLINE void MI_DestinationOptions_Delete(MI_DestinationOptions *options)
{
    if (options && options->ft) {
        options->ft->Delete(options);
    }
}

/* How long an operation of the session may take unless it says otherwise itself. */
MI_PRIVATE_INTERVAL_OPTION(MI_DestinationOptions, Timeout, "__MI_DESTINATIONOPTIONS_TIMEOUT")

/* Checks of the server's certificate: issuer, name, revocation. */
MI_PRIVATE_BOOLEAN_OPTION(MI_DestinationOptions, CertCACheck,
                          "__MI_DESTINATIONOPTIONS_CERT_CA_CHECK")

MI_PRIVATE_BOOLEAN_OPTION(MI_DestinationOptions, CertCNCheck,
                          "__MI_DESTINATIONOPTIONS_CERT_CN_CHECK")

MI_PRIVATE_BOOLEAN_OPTION(MI_DestinationOptions, CertRevocationCheck,
                          "__MI_DESTINATIONOPTIONS_CERT_REVOCATION_CHECK")

/* Whether packets are encrypted, and whether they are signed. */
MI_PRIVATE_BOOLEAN_OPTION(MI_DestinationOptions, PacketPrivacy,
                          "__MI_DESTINATIONOPTIONS_PACKET_PRIVACY")

MI_PRIVATE_BOOLEAN_OPTION(MI_DestinationOptions, PacketIntegrity,
                          "__MI_DESTINATIONOPTIONS_PACKET_INTEGRITY")

/* One of MI_DESTINATIONOPTIONS_PACKET_ENCODING_... */
MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, PacketEncoding,
                         "__MI_DESTINATIONOPTIONS_PACKET_ENCODING")

MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, DataLocale, "__MI_DESTINATIONOPTIONS_DATA_LOCALE")

MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, UILocale, "__MI_DESTINATIONOPTIONS_UI_LOCALE")

/* In kilobytes. */
MI_PRIVATE_NUMBER_OPTION(MI_DestinationOptions, MaxEnvelopeSize,
                         "__MI_DESTINATIONOPTIONS_MAX_ENVELOPE_SIZE")

MI_PRIVATE_NUMBER_OPTION(MI_DestinationOptions, MaxElements, "__MI_DESTINATIONOPTIONS_MAX_ELEMENTS")

MI_PRIVATE_BOOLEAN_OPTION(MI_DestinationOptions, EncodePortInSPN,
                          "__MI_DESTINATIONOPTIONS_ENCODE_PORT_IN_SPN")

MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, HttpUrlPrefix,
                         "__MI_DESTINATIONOPTIONS_HTTP_URL_PREFIX")

MI_PRIVATE_NUMBER_OPTION(MI_DestinationOptions, DestinationPort,
                         "__MI_DESTINATIONOPTIONS_DESTINATION_PORT")

/* Files of the TLS connection. */
MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, TrustedCertsDir,
                         "__MI_DESTINATIONOPTIONS_TRUSTED_CERTS_DIR")

MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, CertFile, "__MI_DESTINATIONOPTIONS_CERT_FILE")

MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, PrivateKeyFile,
                         "__MI_DESTINATIONOPTIONS_PRIVATE_KEY_FILE")

/* One of MI_DESTINATIONOPTIONS_TRANSPORT_... */
MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, Transport, "__MI_DESTINATIONOPTIONS_TRANSPORT")

/* One of MI_DESTINATIONOPTIONS_PROXY_TYPE_... */
MI_PRIVATE_STRING_OPTION(MI_DestinationOptions, ProxyType, "__MI_DESTINATIONOPTIONS_PROXY_TYPE")

MI_INLINE MI_Result MI_DestinationOptions_SetSslOptions(MI_DestinationOptions *options,
                                                        MI_Uint32 sslOptions)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetNumber(options, MI_T("__MI_DESTINATIONOPTIONS_SSL_OPTIONS"), sslOptions,
                                  0);
}

/* The one getter whose object is not const. */
MI_INLINE MI_Result MI_DestinationOptions_GetSslOptions(MI_DestinationOptions *options,
                                                        MI_Uint32 *sslOptions)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetNumber(options, MI_T("__MI_DESTINATIONOPTIONS_SSL_OPTIONS"), sslOptions,
                                  NULL, NULL);
}

/* Credentials for the proxy, and for the server. */
MI_INLINE MI_Result MI_DestinationOptions_AddProxyCredentials(MI_DestinationOptions *options,
                                                              const MI_UserCredentials *credentials)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->AddCredentials(options, MI_T("__MI_DESTINATIONOPTIONS_PROXY_CREDENTIALS"),
                                       credentials, 0);
}

MI_INLINE MI_Result MI_DestinationOptions_AddDestinationCredentials(
    MI_DestinationOptions *options, const MI_UserCredentials *credentials)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->AddCredentials(
        options, MI_T("__MI_DESTINATIONOPTIONS_DESTINATION_CREDENTIALS"), credentials, 0);
}

MI_PRIVATE_ENUM_OPTION(MI_DestinationOptions, ImpersonationType,
                       MI_DestinationOptions_ImpersonationType,
                       "__MI_DESTINATIONOPTIONS_IMPERSONATION_TYPE")

MI_INLINE MI_Result MI_DestinationOptions_SetString(MI_DestinationOptions *options,
                                                    const MI_Char *optionName, const MI_Char *value)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetString(options, optionName, value, 0);
}

MI_INLINE MI_Result MI_DestinationOptions_GetString(const MI_DestinationOptions *options,
                                                    const MI_Char *optionName,
                                                    const MI_Char **value, MI_Uint32 *index)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetString(options, optionName, value, index, NULL);
}

MI_INLINE MI_Result MI_DestinationOptions_SetNumber(MI_DestinationOptions *options,
                                                    const MI_Char *optionName, MI_Uint32 value)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetNumber(options, optionName, value, 0);
}

MI_INLINE MI_Result MI_DestinationOptions_GetNumber(const MI_DestinationOptions *options,
                                                    const MI_Char *optionName, MI_Uint32 *value,
                                                    MI_Uint32 *index)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetNumber(options, optionName, value, index, NULL);
}

MI_INLINE MI_Result MI_DestinationOptions_GetOptionCount(const MI_DestinationOptions *options,
                                                         MI_Uint32 *count)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOptionCount(options, count);
}

MI_INLINE MI_Result MI_DestinationOptions_GetOptionAt(const MI_DestinationOptions *options,
                                                      MI_Uint32 index, const MI_Char **optionName,
                                                      MI_Value *value, MI_Type *type,
                                                      MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOptionAt(options, index, optionName, value, type, flags);
}

MI_INLINE MI_Result MI_DestinationOptions_GetOption(const MI_DestinationOptions *options,
                                                    const MI_Char *optionName, MI_Value *value,
                                                    MI_Type *type, MI_Uint32 *index,
                                                    MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOption(options, optionName, value, type, index, flags);
}

/*
 * Credentials by position. GetCredentialsAt shows asterisks for a password; the true one comes only
 * from GetCredentialsPasswordAt: bufferLength and passwordLength count MI_Chars.
 */
MI_INLINE MI_Result MI_DestinationOptions_GetCredentialsCount(const MI_DestinationOptions *options,
                                                              MI_Uint32 *count)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetCredentialsCount(options, count);
}

MI_INLINE MI_Result MI_DestinationOptions_GetCredentialsAt(const MI_DestinationOptions *options,
                                                           MI_Uint32 index,
                                                           const MI_Char **optionName,
                                                           MI_UserCredentials *credentials,
                                                           MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetCredentialsAt(options, index, optionName, credentials, flags);
}

MI_INLINE MI_Result MI_DestinationOptions_GetCredentialsPasswordAt(
    const MI_DestinationOptions *options, MI_Uint32 index, const MI_Char **optionName,
    MI_Char *password, MI_Uint32 bufferLength, MI_Uint32 *passwordLength, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetCredentialsPasswordAt(options, index, optionName, password, bufferLength,
                                                 passwordLength, flags);
}

/* A copy that the caller ends with MI_DestinationOptions_Delete. */
MI_INLINE MI_Result MI_DestinationOptions_Clone(const MI_DestinationOptions *self,
                                                MI_DestinationOptions *newOptions)
{
    if (!self || !self->ft) {
        if (newOptions) {
            memset(newOptions, 0, sizeof(*newOptions));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Clone(self, newOptions);
}

/* Where a subscription begins, for SetBookmark: with the oldest event that is kept, or the next. */
#define MI_SUBSCRIBE_BOOKMARK_OLDEST MI_T("MI_SUBSCRIBE_BOOKMARK_OLDEST")
#define MI_SUBSCRIBE_BOOKMARK_NEWEST MI_T("MI_SUBSCRIBE_BOOKMARK_NEWEST")

/* MI_SubscriptionDeliveryOptions: how the indications of a subscription are delivered. */
struct _MI_SubscriptionDeliveryOptionsFT {
    MI_Result (*SetString)(MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                           const MI_Char *value, MI_Uint32 flags);
    MI_Result (*SetNumber)(MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                           MI_Uint32 value, MI_Uint32 flags);
    MI_Result (*SetDateTime)(MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                             const MI_Datetime *value, MI_Uint32 flags);
    MI_Result (*SetInterval)(MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                             const MI_Interval *value, MI_Uint32 flags);
    MI_Result (*AddCredentials)(MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                                const MI_UserCredentials *credentials, MI_Uint32 flags);
    MI_Result (*Delete)(MI_SubscriptionDeliveryOptions *self);
    MI_Result (*GetString)(const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                           const MI_Char **value, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetNumber)(const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                           MI_Uint32 *value, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetDateTime)(const MI_SubscriptionDeliveryOptions *options,
                             const MI_Char *optionName, MI_Datetime *value, MI_Uint32 *index,
                             MI_Uint32 *flags);
    MI_Result (*GetInterval)(const MI_SubscriptionDeliveryOptions *options,
                             const MI_Char *optionName, MI_Interval *value, MI_Uint32 *index,
                             MI_Uint32 *flags);
    MI_Result (*GetOptionCount)(const MI_SubscriptionDeliveryOptions *options, MI_Uint32 *count);
    MI_Result (*GetOptionAt)(const MI_SubscriptionDeliveryOptions *options, MI_Uint32 index,
                             const MI_Char **optionName, MI_Value *value, MI_Type *type,
                             MI_Uint32 *flags);
    MI_Result (*GetOption)(const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName,
                           MI_Value *value, MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags);
    MI_Result (*GetCredentialsCount)(const MI_SubscriptionDeliveryOptions *options,
                                     MI_Uint32 *count);
    MI_Result (*GetCredentialsAt)(const MI_SubscriptionDeliveryOptions *options, MI_Uint32 index,
                                  const MI_Char **optionName, MI_UserCredentials *credentials,
                                  MI_Uint32 *flags);
    MI_Result (*GetCredentialsPasswordAt)(const MI_SubscriptionDeliveryOptions *options,
                                          MI_Uint32 index, const MI_Char **optionName,
                                          MI_Char *password, MI_Uint32 bufferLength,
                                          MI_Uint32 *passwordLength, MI_Uint32 *flags);
    MI_Result (*Clone)(const MI_SubscriptionDeliveryOptions *self,
                       MI_SubscriptionDeliveryOptions *newOptions);
};

struct _MI_SubscriptionDeliveryOptions {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_SubscriptionDeliveryOptionsFT *ft;
};

#define MI_SUBSCRIPTIONDELIVERYOPTIONS_NULL                                                        \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

/* How long the server may hold an indication back to send it with others. */
MI_PRIVATE_OPTION(MI_SubscriptionDeliveryOptions, MaximumLatency, Interval, MI_Interval *,
                  MI_Interval *, "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_MAXIMUM_LATENCY")

MI_PRIVATE_OPTION(MI_SubscriptionDeliveryOptions, HeartbeatInterval, Interval, MI_Interval *,
                  MI_Interval *, "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_HEARTBEAT_INTERVAL")

MI_PRIVATE_OPTION(MI_SubscriptionDeliveryOptions, ExpirationTime, DateTime, MI_Datetime *,
                  MI_Datetime *, "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_EXPIRATION_TIME")

#define MI_SubscriptionDeliveryOptions__SetExpirationTime                                          \
    MI_SubscriptionDeliveryOptions_SetExpirationTime
#define MI_SubscriptionDeliveryOptions__GetExpirationTime                                          \
    MI_SubscriptionDeliveryOptions_GetExpirationTime

/* Where in the stream of events to begin: as received with an earlier indication. */
MI_PRIVATE_STRING_OPTION(MI_SubscriptionDeliveryOptions, Bookmark,
                         "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_BOOKMARK")

/* Where a pushed indication goes. */
MI_PRIVATE_STRING_OPTION(MI_SubscriptionDeliveryOptions, DeliveryDestination,
                         "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_DESTINATION")

MI_PRIVATE_NUMBER_OPTION(MI_SubscriptionDeliveryOptions, DeliveryPortNumber,
                         "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_PORT_NUMBER")

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_AddDeliveryCredentials(
    MI_SubscriptionDeliveryOptions *options, const MI_UserCredentials *credentials)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->AddCredentials(
        options, MI_T("__MI_SUBSCRIPTIONDELIVERYOPTIONS_ADD_DELIVERY_CREDENTIALS"), credentials, 0);
}

MI_PRIVATE_INTERVAL_OPTION(MI_SubscriptionDeliveryOptions, DeliveryRetryInterval,
                           "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_RETRY_INTERVAL")

MI_PRIVATE_NUMBER_OPTION(MI_SubscriptionDeliveryOptions, DeliveryRetryAttempts,
                         "__MI_SUBSCRIPTIONDELIVERYOPTIONS_SET_DELIVERY_RETRY_ATTEMPTS")

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_Delete(MI_SubscriptionDeliveryOptions *self)
{
    if (!self || !self->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Delete(self);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_SetString(
    MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, const MI_Char *value,
    MI_Uint32 flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetString(options, optionName, value, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_SetNumber(
    MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, MI_Uint32 value,
    MI_Uint32 flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetNumber(options, optionName, value, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_SetDateTime(
    MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, const MI_Datetime *value,
    MI_Uint32 flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetDateTime(options, optionName, value, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_SetInterval(
    MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, const MI_Interval *value,
    MI_Uint32 flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->SetInterval(options, optionName, value, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetString(
    const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, const MI_Char **value,
    MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetString(options, optionName, value, index, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetNumber(
    const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, MI_Uint32 *value,
    MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetNumber(options, optionName, value, index, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetDateTime(
    const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, MI_Datetime *value,
    MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetDateTime(options, optionName, value, index, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetInterval(
    const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, MI_Interval *value,
    MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetInterval(options, optionName, value, index, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetOptionCount(
    const MI_SubscriptionDeliveryOptions *options, MI_Uint32 *count)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOptionCount(options, count);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetOptionAt(
    const MI_SubscriptionDeliveryOptions *options, MI_Uint32 index, const MI_Char **optionName,
    MI_Value *value, MI_Type *type, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOptionAt(options, index, optionName, value, type, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetOption(
    const MI_SubscriptionDeliveryOptions *options, const MI_Char *optionName, MI_Value *value,
    MI_Type *type, MI_Uint32 *index, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetOption(options, optionName, value, type, index, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetCredentialsCount(
    const MI_SubscriptionDeliveryOptions *options, MI_Uint32 *count)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetCredentialsCount(options, count);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetCredentialsAt(
    const MI_SubscriptionDeliveryOptions *options, MI_Uint32 index, const MI_Char **optionName,
    MI_UserCredentials *credentials, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetCredentialsAt(options, index, optionName, credentials, flags);
}

MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_GetCredentialsPasswordAt(
    const MI_SubscriptionDeliveryOptions *options, MI_Uint32 index, const MI_Char **optionName,
    MI_Char *password, MI_Uint32 bufferLength, MI_Uint32 *passwordLength, MI_Uint32 *flags)
{
    if (!options || !options->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return options->ft->GetCredentialsPasswordAt(options, index, optionName, password, bufferLength,
                                                 passwordLength, flags);
}

/* A copy that the caller ends with MI_SubscriptionDeliveryOptions_Delete. */
MI_INLINE MI_Result MI_SubscriptionDeliveryOptions_Clone(const MI_SubscriptionDeliveryOptions *self,
                                                         MI_SubscriptionDeliveryOptions *newOptions)
{
    if (!self || !self->ft) {
        if (newOptions) {
            memset(newOptions, 0, sizeof(*newOptions));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return self->ft->Clone(self, newOptions);
}

#undef MI_PRIVATE_OPTION
#undef MI_PRIVATE_STRING_OPTION
#undef MI_PRIVATE_NUMBER_OPTION
#undef MI_PRIVATE_INTERVAL_OPTION
#undef MI_PRIVATE_CODED_OPTION
#undef MI_PRIVATE_BOOLEAN_OPTION
#undef MI_PRIVATE_ENUM_OPTION

/* ---- 12. Application ------------------------------------------------------------------------- */

/*
 * MI_Serializer and MI_Deserializer: objects to bytes and back. They carry no table of their own;
 * the tables are reached through mi_clientFT.
 */
struct _MI_Serializer {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
};

struct _MI_Deserializer {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
};

/* Asked for the class of an instance that is being read; the answer becomes the deserializer's. */
typedef MI_Result (*MI_Deserializer_ClassObjectNeeded)(void *context, const MI_Char *serverName,
                                                       const MI_Char *namespaceName,
                                                       const MI_Char *className,
                                                       MI_Class **requestedClassObject);

/* clientBufferNeeded tells the bytes needed, also when the buffer was too small. */
struct _MI_SerializerFT {
    MI_Result (*Close)(MI_Serializer *serializer);
    MI_Result (*SerializeClass)(MI_Serializer *serializer, MI_Uint32 flags,
                                const MI_Class *classObject, MI_Uint8 *clientBuffer,
                                MI_Uint32 clientBufferLength, MI_Uint32 *clientBufferNeeded);
    MI_Result (*SerializeInstance)(MI_Serializer *serializer, MI_Uint32 flags,
                                   const MI_Instance *instanceObject, MI_Uint8 *clientBuffer,
                                   MI_Uint32 clientBufferLength, MI_Uint32 *clientBufferNeeded);
};

struct _MI_DeserializerFT {
    MI_Result (*Close)(MI_Deserializer *deserializer);
    MI_Result (*DeserializeClass)(MI_Deserializer *deserializer, MI_Uint32 flags,
                                  MI_Uint8 *serializedBuffer, MI_Uint32 serializedBufferLength,
                                  MI_Class *parentClass, const MI_Char *serverName,
                                  const MI_Char *namespaceName,
                                  MI_Deserializer_ClassObjectNeeded classObjectNeeded,
                                  void *classObjectNeededContext, MI_Uint32 *serializedBufferRead,
                                  MI_Class **classObject, MI_Instance **cimErrorDetails);
    MI_Result (*Class_GetClassName)(MI_Deserializer *deserializer, MI_Uint8 *serializedBuffer,
                                    MI_Uint32 serializedBufferLength, MI_Char *className,
                                    MI_Uint32 *classNameLength, MI_Instance **cimErrorDetails);
    MI_Result (*Class_GetParentClassName)(MI_Deserializer *deserializer, MI_Uint8 *serializedBuffer,
                                          MI_Uint32 serializedBufferLength,
                                          MI_Char *parentClassName,
                                          MI_Uint32 *parentClassNameLength,
                                          MI_Instance **cimErrorDetails);
    MI_Result (*DeserializeInstance)(MI_Deserializer *deserializer, MI_Uint32 flags,
                                     MI_Uint8 *serializedBuffer, MI_Uint32 serializedBufferLength,
                                     MI_Class **classObjects, MI_Uint32 numberClassObjects,
                                     MI_Deserializer_ClassObjectNeeded classObjectNeeded,
                                     void *classObjectNeededContext,
                                     MI_Uint32 *serializedBufferRead, MI_Instance **instanceObject,
                                     MI_Instance **cimErrorDetails);
    MI_Result (*Instance_GetClassName)(MI_Deserializer *deserializer, MI_Uint8 *serializedBuffer,
                                       MI_Uint32 serializedBufferLength, MI_Char *className,
                                       MI_Uint32 *classNameLength, MI_Instance **cimErrorDetails);
};

/* MI_HostedProvider: a provider that lives in the client's own process. */
struct _MI_HostedProviderFT {
    MI_Result (*Close)(MI_HostedProvider *hostedProvider);
    MI_Result (*GetApplication)(MI_HostedProvider *hostedProvider, MI_Application *application);
};

struct _MI_HostedProvider {
    MI_Uint64 reserved1;
    ptrdiff_t reserved2;
    const MI_HostedProviderFT *ft;
};

#define MI_HOSTEDPROVIDER_NULL                                                                     \
    {                                                                                              \
        0, 0, NULL                                                                                 \
    }

/*
 * MI_Application: where a client begins. It is made by MI_Application_Initialize, ended by
 * MI_Application_Close, and everything made from it must be ended first.
 */
struct _MI_ApplicationFT {
    MI_Result (*Close)(MI_Application *application);
    MI_Result (*NewSession)(MI_Application *application, const MI_Char *protocol,
                            const MI_Char *destination, MI_DestinationOptions *options,
                            MI_SessionCallbacks *callbacks, MI_Instance **extendedError,
                            MI_Session *session);
    MI_Result (*NewHostedProvider)(MI_Application *application, const MI_Char *namespaceName,
                                   const MI_Char *providerName, MI_MainFunction mi_Main,
                                   MI_Instance **extendedError, MI_HostedProvider *hostedProvider);
    MI_Result (*NewInstance)(MI_Application *application, const MI_Char *className,
                             const MI_ClassDecl *classRTTI, MI_Instance **instance);
    MI_Result (*NewDestinationOptions)(MI_Application *application, MI_DestinationOptions *options);
    MI_Result (*NewOperationOptions)(MI_Application *application,
                                     MI_Boolean customOptionsMustUnderstand,
                                     MI_OperationOptions *options);
    MI_Result (*NewSubscriptionDeliveryOptions)(MI_Application *application,
                                                MI_SubscriptionDeliveryType deliveryType,
                                                MI_SubscriptionDeliveryOptions *deliveryOptions);
    MI_Result (*NewSerializer)(MI_Application *application, MI_Uint32 flags, MI_Char *format,
                               MI_Serializer *serializer);
    MI_Result (*NewDeserializer)(MI_Application *application, MI_Uint32 flags, MI_Char *format,
                                 MI_Deserializer *deserializer);
    MI_Result (*NewInstanceFromClass)(MI_Application *application, const MI_Char *className,
                                      const MI_Class *classObject, MI_Instance **instance);
    MI_Result (*NewClass)(MI_Application *application, const MI_ClassDecl *classDecl,
                          const MI_Char *namespaceName, const MI_Char *serverName,
                          MI_Class **classObject);
};

/*
 * Makes an application; a function of the client library, not of this header. flags is 0,
 * applicationID may be NULL. On failure *extendedError, if asked for, is an instance that the
 * caller ends with MI_Instance_Delete, or NULL.
 */
MI_EXTERN_C MI_EXPORT MI_Result MI_Application_InitializeV1(MI_Uint32 flags,
                                                            const MI_Char *applicationID,
                                                            MI_Instance **extendedError,
                                                            MI_Application *application);

#define MI_Application_Initialize MI_Application_InitializeV1

/* Waits until all sessions have been closed. */
MI_INLINE MI_Result MI_Application_Close(MI_Application *application)
{
    if (!application || !application->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->Close(application);
}

/* An instance on the heap, dynamic if there is no declaration; ended with MI_Instance_Delete. */
MI_INLINE MI_Result MI_Application_NewInstance(MI_Application *application,
                                               const MI_Char *className,
                                               const MI_ClassDecl *classRTTI,
                                               MI_Instance **instance)
{
    if (!application || !application->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewInstance(application, className, classRTTI, instance);
}

MI_INLINE MI_Result MI_Application_NewInstanceFromClass(MI_Application *application,
                                                        const MI_Char *className,
                                                        const MI_Class *classObject,
                                                        MI_Instance **instance)
{
    if (!application || !application->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewInstanceFromClass(application, className, classObject, instance);
}

/* An instance of the class name "Parameters", to pass as inboundProperties of MI_Session_Invoke. */
MI_INLINE MI_Result MI_Application_NewParameterSet(MI_Application *application,
                                                   const MI_ClassDecl *classRTTI,
                                                   MI_Instance **instance)
{
    return MI_Application_NewInstance(application, MI_T("Parameters"), classRTTI, instance);
}

MI_INLINE MI_Result MI_Application_NewDestinationOptions(MI_Application *application,
                                                         MI_DestinationOptions *options)
{
    if (!application || !application->ft) {
        if (options) {
            memset(options, 0, sizeof(*options));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewDestinationOptions(application, options);
}

MI_INLINE MI_Result MI_Application_NewOperationOptions(MI_Application *application,
                                                       MI_Boolean customOptionsMustUnderstand,
                                                       MI_OperationOptions *options)
{
    if (!application || !application->ft) {
        if (options) {
            memset(options, 0, sizeof(*options));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewOperationOptions(application, customOptionsMustUnderstand, options);
}

MI_INLINE MI_Result MI_Application_NewSubscriptionDeliveryOptions(
    MI_Application *application, MI_SubscriptionDeliveryType deliveryType,
    MI_SubscriptionDeliveryOptions *deliveryOptions)
{
    if (!application || !application->ft) {
        if (deliveryOptions) {
            memset(deliveryOptions, 0, sizeof(*deliveryOptions));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewSubscriptionDeliveryOptions(application, deliveryType,
                                                           deliveryOptions);
}

/*
 * A session. protocol and destination NULL are the local server. It may be made without asking the
 * server; then a failure shows at the first operation.
 */
MI_INLINE MI_Result MI_Application_NewSession(MI_Application *application, const MI_Char *protocol,
                                              const MI_Char *destination,
                                              MI_DestinationOptions *options,
                                              MI_SessionCallbacks *callbacks,
                                              MI_Instance **extendedError, MI_Session *session)
{
    if (!application || !application->ft) {
        if (session) {
            memset(session, 0, sizeof(*session));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewSession(application, protocol, destination, options, callbacks,
                                       extendedError, session);
}

MI_INLINE MI_Result MI_Application_NewHostedProvider(
    MI_Application *application, const MI_Char *namespaceName, const MI_Char *providerName,
    MI_MainFunction mi_Main, MI_Instance **extendedError, MI_HostedProvider *hostedProvider)
{
    if (!application || !application->ft) {
        if (hostedProvider) {
            memset(hostedProvider, 0, sizeof(*hostedProvider));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewHostedProvider(application, namespaceName, providerName, mi_Main,
                                              extendedError, hostedProvider);
}

MI_INLINE MI_Result MI_Application_NewSerializer(MI_Application *application, MI_Uint32 flags,
                                                 MI_Char *format, MI_Serializer *serializer)
{
    if (!application || !application->ft) {
        if (serializer) {
            memset(serializer, 0, sizeof(*serializer));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewSerializer(application, flags, format, serializer);
}

MI_INLINE MI_Result MI_Application_NewDeserializer(MI_Application *application, MI_Uint32 flags,
                                                   MI_Char *format, MI_Deserializer *deserializer)
{
    if (!application || !application->ft) {
        if (deserializer) {
            memset(deserializer, 0, sizeof(*deserializer));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return application->ft->NewDeserializer(application, flags, format, deserializer);
}

MI_INLINE MI_Result MI_HostedProvider_Close(MI_HostedProvider *hostedProvider)
{
    if (!hostedProvider || !hostedProvider->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return hostedProvider->ft->Close(hostedProvider);
}

MI_INLINE MI_Result MI_HostedProvider_GetApplication(MI_HostedProvider *hostedProvider,
                                                     MI_Application *application)
{
    if (!hostedProvider || !hostedProvider->ft) {
        if (application) {
            memset(application, 0, sizeof(*application));
        }
        return MI_RESULT_INVALID_PARAMETER;
    }
    return hostedProvider->ft->GetApplication(hostedProvider, application);
}

/* ---- 13. Client table ------------------------------------------------------------------------ */

/* Helpers about errors. cimError is a new instance that the caller ends. */
struct _MI_UtilitiesFT {
    MI_ErrorCategory (*MapErrorToMiErrorCategory)(const MI_Char *errorType, MI_Uint32 error);
    MI_Result (*CimErrorFromErrorCode)(MI_Uint32 error, const MI_Char *errorType,
                                       const MI_Char *errorMessage, MI_Instance **cimError);
};

/* All tables of the client library in one, for what has no function above. */
struct _MI_ClientFT_V1 {
    const MI_ApplicationFT *applicationFT;
    const MI_SessionFT *sessionFT;
    const MI_OperationFT *operationFT;
    const MI_HostedProviderFT *hostedProviderFT;
    const MI_SerializerFT *serializerFT;
    const MI_DeserializerFT *deserializerFT;
    const MI_SubscriptionDeliveryOptionsFT *subscribeDeliveryOptionsFT;
    const MI_DestinationOptionsFT *destinationOptionsFT;
    const MI_OperationOptionsFT *operationOptionsFT;
    const MI_UtilitiesFT *utilitiesFT;
};

MI_EXTERN_C const MI_ClientFT_V1 *mi_clientFT_V1;

#define mi_clientFT mi_clientFT_V1

/*
 * Functions by these tables. They are macros, so that a provider needs the client library only if
 * it uses one, whatever its compiler does with functions that nobody calls.
 */
#define MI_Serializer_Close                (mi_clientFT->serializerFT->Close)
#define MI_Serializer_SerializeClass       (mi_clientFT->serializerFT->SerializeClass)
#define MI_Serializer_SerializeInstance    (mi_clientFT->serializerFT->SerializeInstance)
#define MI_Deserializer_Close              (mi_clientFT->deserializerFT->Close)
#define MI_Deserializer_DeserializeClass   (mi_clientFT->deserializerFT->DeserializeClass)
#define MI_Deserializer_Class_GetClassName (mi_clientFT->deserializerFT->Class_GetClassName)
#define MI_Deserializer_Class_GetParentClassName                                                   \
    (mi_clientFT->deserializerFT->Class_GetParentClassName)
#define MI_Deserializer_DeserializeInstance    (mi_clientFT->deserializerFT->DeserializeInstance)
#define MI_Deserializer_Instance_GetClassName  (mi_clientFT->deserializerFT->Instance_GetClassName)
#define MI_Utilities_MapErrorToMiErrorCategory (mi_clientFT->utilitiesFT->MapErrorToMiErrorCategory)
#define MI_Utilities_CimErrorFromErrorCode     (mi_clientFT->utilitiesFT->CimErrorFromErrorCode)

/* ---- 14. Lifecycle indications --------------------------------------------------------------- */

/* Called when the kinds of change that anybody listens to have changed. */
typedef void (*MI_LifecycleIndicationCallback)(MI_Uint32 types, void *callbackData);

/*
 * MI_LifecycleIndicationContext: lets a provider report changes of its class's instances, from any
 * thread, as long as the provider is loaded. Types are unions of MI_LIFECYCLE_INDICATION_...
 */
struct _MI_LifecycleIndicationContextFT {
    MI_Result (*PostCreate)(MI_LifecycleIndicationContext *context, const MI_Instance *instance);
    MI_Result (*PostModify)(MI_LifecycleIndicationContext *context,
                            const MI_Instance *originalInstance, const MI_Instance *instance);
    MI_Result (*PostDelete)(MI_LifecycleIndicationContext *context, const MI_Instance *instance);
    MI_Result (*PostRead)(MI_LifecycleIndicationContext *context, const MI_Instance *instance);
    MI_Result (*PostMethodCall)(MI_LifecycleIndicationContext *context, const MI_Instance *instance,
                                const MI_Char *methodName, MI_Boolean preCall,
                                const MI_Instance *parameter, const MI_Char *returnValue);
    MI_Result (*PostResult)(MI_LifecycleIndicationContext *context, MI_Result result);
    MI_Result (*ConstructInstance)(MI_LifecycleIndicationContext *context,
                                   const MI_ClassDecl *classDecl, MI_Instance *instance);
    MI_Result (*ConstructParameters)(MI_LifecycleIndicationContext *context,
                                     const MI_MethodDecl *methodDecl, MI_Instance *instance);
    MI_Result (*NewInstance)(MI_LifecycleIndicationContext *context, const MI_ClassDecl *classDecl,
                             MI_Instance **instance);
    MI_Result (*NewDynamicInstance)(MI_LifecycleIndicationContext *context,
                                    const MI_Char *className, MI_Uint32 flags,
                                    MI_Instance **instance);
    MI_Result (*NewParameters)(MI_LifecycleIndicationContext *context,
                               const MI_MethodDecl *methodDecl, MI_Instance **instance);
    MI_Result (*SetSupportedTypes)(MI_LifecycleIndicationContext *context, MI_Uint32 types);
    MI_Result (*GetTypes)(MI_LifecycleIndicationContext *context, MI_Uint32 *types);
    MI_Result (*RegisterCallback)(MI_LifecycleIndicationContext *context,
                                  MI_LifecycleIndicationCallback callback, void *callbackData);
};

struct _MI_LifecycleIndicationContext {
    const MI_LifecycleIndicationContextFT *ft;
    ptrdiff_t reserved[3];
};

MI_INLINE MI_Result MI_LifecycleIndicationContext_PostCreate(MI_LifecycleIndicationContext *context,
                                                             const MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostCreate(context, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_PostModify(MI_LifecycleIndicationContext *context,
                                                             const MI_Instance *originalInstance,
                                                             const MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostModify(context, originalInstance, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_PostDelete(MI_LifecycleIndicationContext *context,
                                                             const MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostDelete(context, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_PostRead(MI_LifecycleIndicationContext *context,
                                                           const MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostRead(context, instance);
}

/* A method is about to be called: no return value yet. */
MI_INLINE MI_Result MI_LifecycleIndicationContext_PostMethodCall_Before(
    MI_LifecycleIndicationContext *context, const MI_Instance *instance, const MI_Char *methodName,
    const MI_Instance *parameter)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostMethodCall(context, instance, methodName, MI_TRUE, parameter, NULL);
}

/* A method has been called. */
MI_INLINE MI_Result MI_LifecycleIndicationContext_PostMethodCall_After(
    MI_LifecycleIndicationContext *context, const MI_Instance *instance, const MI_Char *methodName,
    const MI_Instance *parameter, const MI_Char *returnValue)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostMethodCall(context, instance, methodName, MI_FALSE, parameter,
                                       returnValue);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_PostResult(MI_LifecycleIndicationContext *context,
                                                             MI_Result result)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->PostResult(context, result);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_ConstructInstance(
    MI_LifecycleIndicationContext *context, const MI_ClassDecl *classDecl, MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->ConstructInstance(context, classDecl, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_ConstructParameters(
    MI_LifecycleIndicationContext *context, const MI_MethodDecl *methodDecl, MI_Instance *instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->ConstructParameters(context, methodDecl, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_NewInstance(
    MI_LifecycleIndicationContext *context, const MI_ClassDecl *classDecl, MI_Instance **instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->NewInstance(context, classDecl, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_NewDynamicInstance(
    MI_LifecycleIndicationContext *context, const MI_Char *className, MI_Uint32 flags,
    MI_Instance **instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->NewDynamicInstance(context, className, flags, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_NewParameters(
    MI_LifecycleIndicationContext *context, const MI_MethodDecl *methodDecl, MI_Instance **instance)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->NewParameters(context, methodDecl, instance);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_SetSupportedTypes(
    MI_LifecycleIndicationContext *context, MI_Uint32 types)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->SetSupportedTypes(context, types);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_GetTypes(MI_LifecycleIndicationContext *context,
                                                           MI_Uint32 *types)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->GetTypes(context, types);
}

MI_INLINE MI_Result MI_LifecycleIndicationContext_RegisterCallback(
    MI_LifecycleIndicationContext *context, MI_LifecycleIndicationCallback callback,
    void *callbackData)
{
    if (!context || !context->ft) {
        return MI_RESULT_INVALID_PARAMETER;
    }
    return context->ft->RegisterCallback(context, callback, callbackData);
}

/* ---- 15. Short names, annotations ------------------------------------------------------------ */

/* The instance that a generated struct begins with. */
#define MI_InstanceOf(OBJECT) (&(OBJECT)->__instance)

/*
 * Names without "Context_". MI_PostResultWithMessage and MI_PostResultWithError lead to functions
 * that the API no longer has: code that uses them fails to compile at the use.
 */
#define MI_PostResult            MI_Context_PostResult
#define MI_PostResultWithMessage MI_Context_PostResultWithMessage
#define MI_PostResultWithError   MI_Context_PostResultWithError
#define MI_PostCimError          MI_Context_PostCimError
#define MI_PostError             MI_Context_PostError
#define MI_PostInstance          MI_Context_PostInstance
#define MI_PostIndication        MI_Context_PostIndication
#define MI_ConstructInstance     MI_Context_ConstructInstance
#define MI_ConstructParameters   MI_Context_ConstructParameters
#define MI_NewInstance           MI_Context_NewInstance
#define MI_NewDynamicInstance    MI_Context_NewDynamicInstance
#define MI_NewParameters         MI_Context_NewParameters
#define MI_Canceled              MI_Context_Canceled
#define MI_GetLocale             MI_Context_GetLocale
#define MI_RegisterCancel        MI_Context_RegisterCancel
#define MI_RequestUnload         MI_Context_RequestUnload
#define MI_RefuseUnload          MI_Context_RefuseUnload
#define MI_GetLocalSession       MI_Context_GetLocalSession
#define MI_SetStringOption       MI_Context_SetStringOption
#define MI_GetStringOption       MI_Context_GetStringOption
#define MI_GetNumberOption       MI_Context_GetNumberOption
#define MI_GetCustomOption       MI_Context_GetCustomOption
#define MI_GetCustomOptionCount  MI_Context_GetCustomOptionCount
#define MI_GetCustomOptionAt     MI_Context_GetCustomOptionAt
#define MI_ShouldProcess         MI_Context_ShouldProcess
#define MI_ShouldContinue        MI_Context_ShouldContinue
#define MI_PromptUser            MI_Context_PromptUser
#define MI_WriteError            MI_Context_WriteError
#define MI_WriteCimError         MI_Context_WriteCimError
#define MI_WriteMessage          MI_Context_WriteMessage
#define MI_WriteProgress         MI_Context_WriteProgress
#define MI_WriteStreamParameter  MI_Context_WriteStreamParameter
#define MI_WriteWarning          MI_Context_WriteWarning
#define MI_WriteVerbose          MI_Context_WriteVerbose
#define MI_WriteDebug            MI_Context_WriteDebug

/*
 * Annotations of Microsoft's static analyser (SAL). Providers are full of them; they mean nothing
 * to gcc and clang. Each is looked for by itself, since the includer may have some of its own, and
 * the parameters are spelt as in the usual headers, so that defining one again is no error.
 */
#ifndef _Acquires_lock_
#define _Acquires_lock_(lock)
#endif
#ifndef _Always_
#define _Always_(expr)
#endif
#ifndef _Analysis_assume_
#define _Analysis_assume_(expr)
#endif
#ifndef _Analysis_assume_nullterminated_
#define _Analysis_assume_nullterminated_(expr)
#endif
#ifndef _Analysis_noreturn_
#define _Analysis_noreturn_
#endif
#ifndef _At_
#define _At_(target, annotation)
#endif
#ifndef _Check_return_
#define _Check_return_
#endif
#ifndef _Const_
#define _Const_
#endif
#ifndef _Deref_out_range_
#define _Deref_out_range_(min, max)
#endif
#ifndef _Deref_post_z_
#define _Deref_post_z_
#endif
#ifndef _Deref_pre_opt_z_
#define _Deref_pre_opt_z_
#endif
#ifndef _Deref_pre_z_
#define _Deref_pre_z_
#endif
#ifndef _Deref_prepost_opt_z_
#define _Deref_prepost_opt_z_
#endif
#ifndef _Field_range_
#define _Field_range_(count, capacity)
#endif
#ifndef _Field_size_
#define _Field_size_(count)
#endif
#ifndef _Field_size_bytes_
#define _Field_size_bytes_(count)
#endif
#ifndef _Field_size_bytes_full_opt_
#define _Field_size_bytes_full_opt_(size)
#endif
#ifndef _Field_size_bytes_opt_
#define _Field_size_bytes_opt_(size)
#endif
#ifndef _Field_size_full_opt_
#define _Field_size_full_opt_(count)
#endif
#ifndef _Field_size_opt_
#define _Field_size_opt_(count)
#endif
#ifndef _Field_z_
#define _Field_z_
#endif
#ifndef _Frees_ptr_
#define _Frees_ptr_
#endif
#ifndef _Frees_ptr_opt_
#define _Frees_ptr_opt_
#endif
#ifndef _In_
#define _In_
#endif
#ifndef _In_bytecount_
#define _In_bytecount_(size)
#endif
#ifndef _In_count_
#define _In_count_(count)
#endif
#ifndef _In_opt_
#define _In_opt_
#endif
#ifndef _In_opt_z_
#define _In_opt_z_
#endif
#ifndef _In_range_
#define _In_range_(min, max)
#endif
#ifndef _In_reads_
#define _In_reads_(count)
#endif
#ifndef _In_reads_bytes_
#define _In_reads_bytes_(count)
#endif
#ifndef _In_reads_bytes_opt_
#define _In_reads_bytes_opt_(count)
#endif
#ifndef _In_reads_opt_
#define _In_reads_opt_(expr)
#endif
#ifndef _In_reads_z_
#define _In_reads_z_(count)
#endif
#ifndef _In_z_
#define _In_z_
#endif
#ifndef _Inout_
#define _Inout_
#endif
#ifndef _Inout_count_
#define _Inout_count_(size)
#endif
#ifndef _Inout_opt_
#define _Inout_opt_
#endif
#ifndef _Inout_opt_z_
#define _Inout_opt_z_
#endif
#ifndef _Inout_updates_
#define _Inout_updates_(count)
#endif
#ifndef _Inout_updates_z_
#define _Inout_updates_z_(count)
#endif
#ifndef _Inout_z_
#define _Inout_z_
#endif
#ifndef _Maybenull_
#define _Maybenull_
#endif
#ifndef _Must_inspect_result_
#define _Must_inspect_result_
#endif
#ifndef _Notnull_
#define _Notnull_
#endif
#ifndef _Null_terminated_
#define _Null_terminated_
#endif
#ifndef _On_failure_
#define _On_failure_(expr)
#endif
#ifndef _Out_
#define _Out_
#endif
#ifndef _Out_cap_post_count_
#define _Out_cap_post_count_(maxLen, used)
#endif
#ifndef _Out_opt_
#define _Out_opt_
#endif
#ifndef _Out_writes_
#define _Out_writes_(count)
#endif
#ifndef _Out_writes_bytes_
#define _Out_writes_bytes_(count)
#endif
#ifndef _Out_writes_bytes_to_opt_
#define _Out_writes_bytes_to_opt_(buffLen, bufferNeeded)
#endif
#ifndef _Out_writes_opt_
#define _Out_writes_opt_(count)
#endif
#ifndef _Out_writes_opt_z_
#define _Out_writes_opt_z_(count)
#endif
#ifndef _Out_writes_to_opt_
#define _Out_writes_to_opt_(length, lengthwritten)
#endif
#ifndef _Out_writes_z_
#define _Out_writes_z_(count)
#endif
#ifndef _Outptr_
#define _Outptr_
#endif
#ifndef _Outptr_opt_
#define _Outptr_opt_
#endif
#ifndef _Outptr_opt_result_maybenull_
#define _Outptr_opt_result_maybenull_
#endif
#ifndef _Outptr_opt_result_maybenull_z_
#define _Outptr_opt_result_maybenull_z_
#endif
#ifndef _Outptr_opt_result_z_
#define _Outptr_opt_result_z_
#endif
#ifndef _Outptr_result_buffer_
#define _Outptr_result_buffer_(count)
#endif
#ifndef _Outptr_result_buffer_maybenull_
#define _Outptr_result_buffer_maybenull_(count)
#endif
#ifndef _Outptr_result_bytebuffer_
#define _Outptr_result_bytebuffer_(count)
#endif
#ifndef _Outptr_result_maybenull_
#define _Outptr_result_maybenull_
#endif
#ifndef _Outptr_result_maybenull_z_
#define _Outptr_result_maybenull_z_
#endif
#ifndef _Outptr_result_nullonfailure_
#define _Outptr_result_nullonfailure_
#endif
#ifndef _Outptr_result_z_
#define _Outptr_result_z_
#endif
#ifndef _Post_equal_to_
#define _Post_equal_to_(expr)
#endif
#ifndef _Post_invalid_
#define _Post_invalid_
#endif
#ifndef _Post_ptr_invalid_
#define _Post_ptr_invalid_
#endif
#ifndef _Post_readable_size_
#define _Post_readable_size_(count)
#endif
#ifndef _Post_satisfies_
#define _Post_satisfies_(expr)
#endif
#ifndef _Post_valid_
#define _Post_valid_
#endif
#ifndef _Post_writable_byte_size_
#define _Post_writable_byte_size_(count)
#endif
#ifndef _Post_z_
#define _Post_z_
#endif
#ifndef _Pre_notnull_
#define _Pre_notnull_
#endif
#ifndef _Pre_satisfies_
#define _Pre_satisfies_(expr)
#endif
#ifndef _Pre_valid_
#define _Pre_valid_
#endif
#ifndef _Pre_writable_byte_size_
#define _Pre_writable_byte_size_(count)
#endif
#ifndef _Pre_writable_size_
#define _Pre_writable_size_(count)
#endif
#ifndef _Readable_bytes_
#define _Readable_bytes_(count)
#endif
#ifndef _Readable_elements_
#define _Readable_elements_(count)
#endif
#ifndef _Releases_lock_
#define _Releases_lock_(lock)
#endif
#ifndef _Requires_lock_held_
#define _Requires_lock_held_(lock)
#endif
#ifndef _Requires_lock_not_held_
#define _Requires_lock_not_held_(lock)
#endif
#ifndef _Ret_maybenull_
#define _Ret_maybenull_
#endif
#ifndef _Ret_notnull_
#define _Ret_notnull_
#endif
#ifndef _Ret_range_
#define _Ret_range_(op, value)
#endif
#ifndef _Ret_writes_maybenull_z_
#define _Ret_writes_maybenull_z_(count)
#endif
#ifndef _Ret_z_
#define _Ret_z_
#endif
#ifndef _Return_type_success_
#define _Return_type_success_(expr)
#endif
#ifndef _String_length_
#define _String_length_(str)
#endif
#ifndef _Struct_size_bytes_
#define _Struct_size_bytes_(size)
#endif
#ifndef _Success_
#define _Success_(count)
#endif
#ifndef _Use_decl_annotations_
#define _Use_decl_annotations_
#endif
#ifndef _Valid_
#define _Valid_
#endif
#ifndef _When_
#define _When_(expr1, expr2)
#endif
#ifndef _Writable_elements_
#define _Writable_elements_(count)
#endif

#ifdef __cplusplus
}
#endif

#endif /* MI_H */
