#pragma once
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

// HMAC-SHA256 of `data` into the 32 bytes of `code`; 0 where there is no memory for it.
static inline int millrace_hmac_sha256(const void *key, int key_size, const void *data, size_t size, unsigned char *code) {
    unsigned int length = 0;
    return HMAC(EVP_sha256(), key, key_size, data, size, code, &length) != NULL && length == 32;
}

// The Ed25519 signature (64 bytes) of `data` by the key with this seed (32 bytes), and its public key (32 bytes); 0 where there
// is no memory for them.
static inline int millrace_ed25519_sign(
    const unsigned char *seed, const unsigned char *data, size_t size, unsigned char *signature, unsigned char *public_key) {
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t signature_size = 64, key_size = 32;
    int is_made = key != NULL && context != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &key_size) == 1
        && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1
        && EVP_DigestSign(context, signature, &signature_size, data, size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return is_made;
}
