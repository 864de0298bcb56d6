# Figures of survival and glmnet that tests/survival/test_r_oracle.py compares with.
#
#   python export.py DIR && Rscript make.R DIR && python collect.py DIR
#
# export.py writes simulated data as CSV files into DIR; this script fits them there; collect.py packs the answers into
# figures.json beside it.

suppressPackageStartupMessages({library(survival); library(glmnet)})
args <- commandArgs(trailingOnly = TRUE)
setwd(args[1])
glmnet.control(fdev = 0, devmax = 1, eps = 1e-10, mxitnr = 10000, epsnr = 1e-14) # no early stop, neither of the path nor of a fit
read <- function(name) as.matrix(read.csv(paste0(name, ".csv"), header = FALSE))
one <- function(name) as.vector(t(read(name)))
write <- function(x, name) write.table(format(x, digits = 17), name, sep = ",", row.names = FALSE, col.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, as.character(packageVersion("survival")), as.character(packageVersion("glmnet"))), "versions.txt")

X <- read("X"); start <- one("start"); time <- one("time"); event <- one("event")
weight <- one("weight"); offset <- one("offset"); stratum <- one("stratum"); fold <- one("fold"); factor <- one("factor")
wide <- read("wide"); grid <- one("grid")
colnames(X) <- paste0("x", 1:5); d <- data.frame(X, weight, offset, stratum)
right <- Surv(time, event); late <- Surv(start, time, event)
tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100)

# Unpenalised: coefficients, log likelihoods at 0 and at the fit, concordance; the baseline hazard at all features 0.
for (ties in c("efron", "breslow")) {
  fits <- list(
    right = coxph(right ~ x1 + x2 + x3 + x4 + x5, d, ties = ties, control = tight),
    late = coxph(late ~ x1 + x2 + x3 + x4 + x5, d, ties = ties, control = tight),
    weights = coxph(right ~ x1 + x2 + x3 + x4 + x5, d, weights = weight, ties = ties, control = tight, robust = FALSE),
    offset = coxph(right ~ x1 + x2 + x3 + x4 + x5 + offset(offset), d, ties = ties, control = tight),
    strata = coxph(right ~ x1 + x2 + x3 + x4 + x5 + strata(stratum), d, ties = ties, control = tight),
    all = coxph(late ~ x1 + x2 + x3 + x4 + x5 + strata(stratum) + offset(offset), d, weights = weight, ties = ties, control = tight, robust = FALSE)
  )
  for (name in names(fits)) {
    fit <- fits[[name]]
    eta <- drop(X %*% coef(fit))
    y <- if (name %in% c("late", "all")) late else right
    w <- if (name %in% c("weights", "all")) weight else rep(1, nrow(X))
    index <- if (name %in% c("strata", "all")) concordance(y ~ eta + strata(stratum), weights = w, reverse = TRUE) else
      concordance(y ~ eta, weights = w, reverse = TRUE)
    write(c(coef(fit), fit$loglik, index$concordance), paste0("coxph_", ties, "_", name, ".csv"))
    hazard <- basehaz(fit, centered = FALSE)
    if (is.null(hazard$strata)) hazard$strata <- 0
    write(cbind(hazard$hazard, hazard$time, as.numeric(factor(hazard$strata)) - 1), paste0("hazard_", ties, "_", name, ".csv"))
    write(residuals(fit, type = "martingale"), paste0("martingale_", ties, "_", name, ".csv"))
  }
}

# Penalised (Breslow): one path for each way of giving the data, and the cross-validated deviance.
path <- function(x, y, name, ...) {
  fit <- glmnet(x, y, family = "cox", lambda = grid, thresh = 1e-15, maxit = 1e8, ...)
  stopifnot(length(fit$lambda) == length(grid))
  write(t(as.matrix(coef(fit))), paste0("path_", name, ".csv"))
  write(cbind(fit$dev.ratio, fit$nulldev), paste0("deviance_", name, ".csv"))
}
path(X, right, "lasso"); path(X, right, "half", alpha = 0.5); path(X, right, "ridge", alpha = 0)
path(X, right, "weights", weights = weight, alpha = 0.5); path(X, right, "offset", offset = offset, alpha = 0.5)
path(X, right, "plain", standardize = FALSE, alpha = 0.5); path(X, right, "factor", penalty.factor = factor, alpha = 0.5)
path(X, late, "late", alpha = 0.5); path(X, stratifySurv(right, stratum), "strata", alpha = 0.5)
path(X, right, "bounds", lower.limits = -0.2, upper.limits = 0.1, alpha = 0.5)
path(wide, right, "wide")
# Weights are left out here: cv.glmnet rescales them for all rows and for the training rows apart, so that its difference
# of the two deviances is one of different scales.
cv <- cv.glmnet(X, right, family = "cox", lambda = grid, foldid = fold, thresh = 1e-15, maxit = 1e8, grouped = TRUE)
write(cbind(cv$cvm, cv$cvsd), "cv_right.csv")
write(c(cv$lambda.min, cv$lambda.1se), "chosen_right.csv")
