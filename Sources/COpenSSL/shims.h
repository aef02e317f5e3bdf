#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

// HMAC-SHA256 of `data` into the 32 bytes of `code`; 0 where there is no memory for it.
static inline int millrace_hmac_sha256(const void *key, int key_size, const void *data, size_t size, unsigned char *code) {
    unsigned int length = 0;
    return HMAC(EVP_sha256(), key, key_size, data, size, code, &length) != NULL && length == 32;
}
