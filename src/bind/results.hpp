// What a path gives back to Python, and Ctrl-C on the way.
#pragma once

#include <chrono>

#include "arrays.hpp"
#include "path.hpp"

namespace bridle_bind {

// Lets Python handle its signals ten times a second while the core runs without the interpreter's lock.
struct SignalCheck {
  std::chrono::steady_clock::time_point next = std::chrono::steady_clock::now();
  bool raised = false;

  static bool ask(void* context) {
    auto* self = static_cast<SignalCheck*>(context);
    const auto now = std::chrono::steady_clock::now();
    if (now < self->next) return self->raised;
    self->next = now + std::chrono::milliseconds(100);
    nb::gil_scoped_acquire hold;
    self->raised = self->raised || PyErr_CheckSignals() != 0;
    return self->raised;
  }
};

inline nb::dict to_dict(bridle::PathResult&& result) {
  nb::dict out;
  out["intercept"] = to_numpy(std::move(result.intercept));
  out["starts"] = to_numpy(std::move(result.starts));
  out["columns"] = to_numpy(std::move(result.columns));
  out["values"] = to_numpy(std::move(result.values));
  out["gap"] = to_numpy(std::move(result.gap));
  out["kkt"] = to_numpy(std::move(result.kkt));
  out["loss"] = to_numpy(std::move(result.loss));
  out["status"] = to_numpy(std::move(result.status));
  out["n_iter"] = to_numpy(std::move(result.n_iter));
  return out;
}

}  // namespace bridle_bind
