#pragma once
// COTERIE_ASAN, COTERIE_TSAN: which sanitizer this is compiled for, g++ or clang.

#if defined(__SANITIZE_ADDRESS__)
#define COTERIE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COTERIE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define COTERIE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COTERIE_TSAN 1
#endif
#endif
