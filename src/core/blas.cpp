#include "blas.hpp"

namespace bridle {

Blas& blas() {
  static Blas table;
  return table;
}

}  // namespace bridle
