# Figures of MASS and glmnet that tests/oracle/test_families_of_r.py compares with.
#
#   mkdir DIR && python export.py DIR && Rscript make.R DIR
#
# export.py writes simulated data into DIR and inputs.json; this script fits them there and writes figures.json beside it.

suppressPackageStartupMessages({library(MASS); library(glmnet)})
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
setwd(commandArgs(trailingOnly = TRUE)[1])
glmnet.control(fdev = 0, devmax = 1, epsnr = 1e-12, mxitnr = 200)
read <- function(name) as.matrix(read.csv(paste0(name, ".csv"), header = FALSE))
X <- unname(read("X")); w <- drop(unname(read("weight"))); o <- drop(unname(read("offset")))
y <- list(gamma = drop(unname(read("gamma"))), counts = drop(unname(read("counts"))), even = drop(unname(read("even"))))
array <- function(x) paste0("[", paste(format(x, digits = 15, trim = TRUE), collapse = ", "), "]")
rows <- function(m) paste0("[", paste(apply(m, 1, array), collapse = ", "), "]")

plain <- glm.nb(y$counts ~ X, control = glm.control(epsilon = 1e-12, maxit = 200))
moved <- glm.nb(y$counts ~ X + offset(o), weights = w, control = glm.control(epsilon = 1e-12, maxit = 200))
gamma <- glm(y$gamma ~ X, family = Gamma(link = "log"), weights = w, offset = o, control = glm.control(epsilon = 1e-14, maxit = 200))
lambda <- c(0.2, 0.05, 0.01)
fit <- function(y, family, alpha) t(as.matrix(coef(
  glmnet(X, y, family = family, alpha = alpha, lambda = lambda, weights = w, offset = o, thresh = 1e-16, maxit = 1e7))))
out <- c(
  versions = paste0('["', R.version.string, '", "glmnet ', packageVersion("glmnet"), '", "MASS ', packageVersion("MASS"), '"]'),
  lambda = array(lambda),
  nb_theta = array(c(plain$theta, moved$theta)),
  nb_coef = rows(rbind(coef(plain), coef(moved))),
  gamma_coef = array(coef(gamma)),
  gamma_deviance = array(deviance(gamma)),
  poisson_lasso = rows(fit(y$even, "poisson", 1)),
  poisson_mixed = rows(fit(y$even, "poisson", 0.4)),
  gamma_lasso = rows(fit(y$gamma, Gamma(link = "log"), 1)),
  gamma_mixed = rows(fit(y$gamma, Gamma(link = "log"), 0.4)),
  nb_lasso = rows(fit(y$counts, negative.binomial(theta = 1.5), 1)),
  nb_mixed = rows(fit(y$counts, negative.binomial(theta = 1.5), 0.4)))
writeLines(paste0("{\n", paste0('  "', names(out), '": ', out, collapse = ",\n"), "\n}"), file.path(here, "figures.json"))
