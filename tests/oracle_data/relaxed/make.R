# Figures of glmnet's relax = TRUE, and of its lasso with Zou's weights, that tests/relaxed and tests/penalties compare with.
#
#   mkdir DIR && python export.py DIR && Rscript make.R DIR
#
# export.py writes simulated data into DIR and inputs.json; this script fits them there and writes figures.json beside it.

suppressPackageStartupMessages({library(glmnet); library(survival)})
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
setwd(commandArgs(trailingOnly = TRUE)[1])
glmnet.control(fdev = 0, devmax = 1, eps = 1e-10, epsnr = 1e-14, mxitnr = 1000)
read <- function(name) unname(as.matrix(read.csv(paste0(name, ".csv"), header = FALSE)))
one <- function(name) drop(read(name))
array <- function(x) paste0("[", paste(format(as.vector(x), digits = 15, trim = TRUE), collapse = ", "), "]")
rows <- function(m) paste0("[", paste(apply(m, 1, array), collapse = ", "), "]")

X <- read("X"); wide <- read("wide"); w <- one("weight"); o <- one("offset"); fold <- one("fold"); grid <- one("grid")
y <- list(gaussian = one("gaussian"), binomial = one("binomial"), poisson = one("poisson"))
surv <- Surv(one("time"), one("event"))
exact <- list(thresh = 1e-20, maxit = 1e8)
path <- function(x, y, family, lambda = grid, ...) {
  fit <- do.call(glmnet, c(list(x, y, family = family, lambda = lambda, relax = TRUE, ...), exact))
  stopifnot(length(fit$lambda) == length(lambda))
  list(relaxed = rows(t(as.matrix(coef(fit$relaxed)))), lambda = array(fit$relaxed$lambda),
       half = rows(t(as.matrix(coef(fit, gamma = 0.5)))))
}
paths <- list(
  gaussian = path(X, y$gaussian, "gaussian", weights = w, offset = o),
  binomial = path(X, y$binomial, "binomial", weights = w, offset = o),
  poisson = path(X, y$poisson, "poisson", weights = w, offset = o),
  plain = path(X, y$gaussian, "gaussian", standardize = FALSE, intercept = FALSE),
  bounds = path(X, y$gaussian, "gaussian", lower.limits = -0.2, upper.limits = 0.25),
  factor = path(X, y$gaussian, "gaussian", penalty.factor = c(0, 1, 1, 1, 1, 1, 1, 1)),
  cox = path(X, surv, "cox"),
  wide = path(wide, one("narrow"), "gaussian", lambda = grid * 2, maxp = 15))

cv <- function(y, family, ...) {
  fit <- do.call(cv.glmnet, c(list(X, y, family = family, lambda = grid, foldid = fold, relax = TRUE, type.measure = "deviance", ...), exact))
  each <- fit$relaxed$statlist
  list(gamma = array(fit$relaxed$gamma), cvm = rows(t(sapply(each, function(s) s$cvm))), cvsd = rows(t(sapply(each, function(s) s$cvsd))),
       min = array(c(fit$relaxed$lambda.min, fit$relaxed$gamma.min)), "1se" = array(c(fit$relaxed$lambda.1se, fit$relaxed$gamma.1se)))
}
cvs <- list(gaussian = cv(y$gaussian, "gaussian", weights = w), binomial = cv(y$binomial, "binomial"), poisson = cv(y$poisson, "poisson", offset = o),
            cox = cv(surv, "cox"))

# Adaptive: weights 1 / |b|^gamma of the unpenalised fit on the standardised scale; glmnet rescales them to the sum p.
sd1 <- apply(X, 2, function(x) sqrt(mean((x - mean(x))^2)))
adaptive <- function(y, family, power) {
  v <- 1 / abs(coef(glm(y ~ X, family = family, control = glm.control(epsilon = 1e-14, maxit = 100)))[-1] * sd1)^power
  fit <- do.call(glmnet, c(list(X, y, family = family, lambda = grid, penalty.factor = v), exact))
  list(weights = array(v), coef = rows(t(as.matrix(coef(fit)))))
}
adaptives <- list(gaussian = adaptive(y$gaussian, "gaussian", 1), binomial = adaptive(y$binomial, "binomial", 0.5), poisson = adaptive(y$poisson, "poisson", 2))

object <- function(l) paste0("{", paste0('"', names(l), '": ', unlist(l), collapse = ",\n"), "}")
out <- list(versions = paste0('["', R.version.string, '", "glmnet ', packageVersion("glmnet"), '", "survival ', packageVersion("survival"), '"]'),
  paths = object(lapply(paths, object)), cv = object(lapply(cvs, object)), adaptive = object(lapply(adaptives, object)))
writeLines(object(out), file.path(here, "figures.json"))
