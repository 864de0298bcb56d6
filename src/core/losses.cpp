#include "losses.hpp"


#include "losses_multi.hpp"

namespace bridle {

std::unique_ptr<Loss> make_loss(const std::string& family, const std::vector<double>& parameters) {
  for (auto make : {make_piecewise_loss, make_logistic_loss, make_log_link_loss, make_multi})
    if (auto loss = make(family, parameters)) return loss;
  return nullptr;
}

}  // namespace bridle
