// The few BLAS and LAPACK routines that the core calls, handed in by the binding from what SciPy carries.
#pragma once

namespace bridle {

// Fortran calling conventions, 32-bit integers, column-major.
struct Blas {
  // C = alpha A'A + beta C for trans = 'T', one triangle
  void (*dsyrk)(char* uplo, char* trans, int* n, int* k, double* alpha, double* a, int* lda, double* beta, double* c,
                int* ldc) = nullptr;
  // C = alpha op(A) op(B) + beta C
  void (*dgemm)(char* transa, char* transb, int* m, int* n, int* k, double* alpha, double* a, int* lda, double* b,
                int* ldb, double* beta, double* c, int* ldc) = nullptr;
  // B = alpha op(A)^-1 B, or B op(A)^-1 for side = 'R'; A triangular
  void (*dtrsm)(char* side, char* uplo, char* trans, char* diag, int* m, int* n, double* alpha, double* a, int* lda,
                double* b, int* ldb) = nullptr;
  // A = U'U for uplo = 'U'; info > 0 where A is not positive definite
  void (*dpotrf)(char* uplo, int* n, double* a, int* lda, int* info) = nullptr;
  // A = V diag(w) V' for jobz = 'V': V takes the place of A, w ascending
  void (*dsyev)(char* jobz, char* uplo, int* n, double* a, int* lda, double* w, double* work, int* lwork,
                int* info) = nullptr;
};

// Set once, when the module is imported; read only from then on.
Blas& blas();

}  // namespace bridle
