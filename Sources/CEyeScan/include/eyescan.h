// What Swift's SIMD types do not reach (6.3): comparing sixteen bytes at once and getting one bit for each of them. In
// Swift, a comparison or a minimum of two SIMD16<UInt8> is a loop over their lanes, and there is no way to a mask of bits
// but two 64-bit halves. Called by EyeWire's scanner only; pure functions of their arguments, any thread.
//
// Clang's vector extensions, so one text for every processor; no header of intrinsics (they break the importer in debug
// builds). All inline: Swift puts them into its own loops, with no call and no choice at run time, since SSE2 is part of
// every x86-64 and NEON of every AArch64.

#ifndef EYESCAN_H
#define EYESCAN_H

#include <stdint.h>

typedef int8_t eye_scan_i8x16 __attribute__((vector_size(16)));
typedef uint8_t eye_scan_u8x16 __attribute__((vector_size(16)));
typedef uint16_t eye_scan_u16x8 __attribute__((vector_size(16)));
typedef uint8_t eye_scan_u8x8 __attribute__((vector_size(8)));
typedef uint64_t eye_scan_u64x2 __attribute__((vector_size(16)));
/// Sixteen bytes at any address.
typedef uint8_t eye_scan_bytes16 __attribute__((vector_size(16), aligned(1), may_alias));

#define EYE_SCAN_INLINE static inline __attribute__((always_inline))

/// How many bytes a mark's place is shifted up by in a mask: its trailing zeros, shifted down by this, are the offset.
#if defined(__SSE2__) && !defined(EYE_SCAN_PORTABLE)
enum { EYE_SCAN_SHIFT = 0 };
typedef uint32_t eye_scan_mask;
#else
enum { EYE_SCAN_SHIFT = 2 };
typedef uint64_t eye_scan_mask;
#endif

/// A mask of the lanes that are all ones (the others being zero).
EYE_SCAN_INLINE eye_scan_mask eye_scan_pack(eye_scan_i8x16 lanes) {
#if defined(__SSE2__) && !defined(EYE_SCAN_PORTABLE)
    return (uint32_t)__builtin_ia32_pmovmskb128((__attribute__((vector_size(16))) char)lanes);
#else
    // Four bits of every lane, in order: shrn on NEON.
    return (uint64_t)__builtin_convertvector((eye_scan_u16x8)lanes >> 4, eye_scan_u8x8);
#endif
}

/// Marks among the sixteen bytes at `p` those that do not stand for themselves in a JSON string: `"`, `\`, below 0x20,
/// above 0x7F. Reads exactly the sixteen.
EYE_SCAN_INLINE eye_scan_mask eye_scan_special16(const void *p) {
    // Exclusive or with 2 brings `"` to 0x20, next to the control characters, and changes places only among the others;
    // bytes above 0x7F are negative.
    eye_scan_i8x16 x = (eye_scan_i8x16)(*(const eye_scan_bytes16 *)p ^ 2);
    return eye_scan_pack((x < 0x21) | (x == ('\\' ^ 2)));
}

/// Sixteen hex digits as a number, and whether they all are hex digits.
typedef struct {
    uint64_t value;
    /// 0 if all of them are.
    eye_scan_mask strange;
} eye_scan_hex;

/// Reads sixteen hex digits, in either case: eight in `first`, eight in `second`, the first one lowest in each.
EYE_SCAN_INLINE eye_scan_hex eye_scan_hex16(uint64_t first, uint64_t second) {
    eye_scan_u8x16 text = (eye_scan_u8x16)(eye_scan_u64x2){first, second};
    // '0'...'9' become 0xF6...0xFF; taking 6 with saturation leaves 0xF0...0xF9 for them alone and less for all others,
    // which is 0x10 or more when 0xF0 is taken away.
    const eye_scan_u8x16 six = {6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6};
    eye_scan_u8x16 digit = __builtin_elementwise_sub_sat(text + (uint8_t)0xC6, six) - (uint8_t)0xF0;
    // 'A'...'F' and 'a'...'f' become 0...5, then 10...15; all others 16 or more, saturated at 255.
    const eye_scan_u8x16 ten = six + (uint8_t)4;
    eye_scan_u8x16 letter = __builtin_elementwise_add_sat((text & (uint8_t)0xDF) - (uint8_t)'A', ten);
    eye_scan_u8x16 nibble = __builtin_elementwise_min(digit, letter);
    eye_scan_u16x8 pair = (eye_scan_u16x8)nibble;
    // The first of two is the higher half of their byte, and the first of eight bytes the highest.
    eye_scan_u8x8 bytes = __builtin_convertvector(pair << 4 | pair >> 8, eye_scan_u8x8);
    eye_scan_hex hex = {__builtin_bswap64((uint64_t)bytes), eye_scan_pack((eye_scan_i8x16)(nibble > 15))};
    return hex;
}

#endif
