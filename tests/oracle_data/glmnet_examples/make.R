# Figures of glmnet and MASS that tests/oracle/test_examples_of_glmnet.py compares with.
#
#   mkdir DIR && python simulate.py DIR && Rscript make.R DIR
#
# simulate.py writes data in the manner of glmnet's own examples into DIR; this script fits them there and writes
# figures.json beside it. On Debian: apt-get install r-base-core r-cran-glmnet r-cran-mass

suppressPackageStartupMessages({library(MASS); library(glmnet)})
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))))
setwd(commandArgs(trailingOnly = TRUE)[1])
glmnet.control(fdev = 0, devmax = 1, eps = 1e-10, mnlam = 1) # no early stop of the path
read <- function(name) unname(as.matrix(read.csv(paste0(name, ".csv"), header = FALSE)))
number <- function(x) format(x, digits = 12, trim = TRUE)
array <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")
rows <- function(m) paste0("[", paste(apply(as.matrix(m), 1, array), collapse = ",\n    "), "]")

# The path as documented: glmnet(x, y, family = ...) and its own lambdas, of which every twelfth is kept.
path <- function(family, alpha = 1, y = read(paste0("y_", family)), ...) {
  x <- read(paste0("x_", family))
  if (ncol(y) == 1) y <- drop(y)
  if (family == "cox") colnames(y) <- c("time", "status")
  own <- glmnet(x, y, family = family, alpha = alpha, ...)$lambda
  lambda <- own[seq(8, min(length(own), 80), by = 12)]
  fit <- glmnet(x, y, family = family, alpha = alpha, lambda = lambda, thresh = 1e-20, maxit = 1e8, ...)
  stopifnot(length(fit$lambda) == length(lambda))
  b <- coef(fit)
  # one row a lambda: intercept and coefficients, of one class or response after another
  b <- if (is.list(b)) do.call(cbind, lapply(b, function(m) t(as.matrix(m)))) else t(as.matrix(b))
  c(lambda_max = number(own[1]), lambda = array(lambda), deviance_ratio = array(fit$dev.ratio), coef = rows(b))
}
figures <- list(
  gaussian = path("gaussian"), binomial = path("binomial"), poisson = path("poisson"), cox = path("cox"),
  multinomial = path("multinomial", type.multinomial = "ungrouped"),
  multinomial_mixed = path("multinomial", alpha = 0.5, type.multinomial = "ungrouped"),
  multinomial_grouped = path("multinomial", type.multinomial = "grouped"),
  multinomial_grouped_mixed = path("multinomial", alpha = 0.5, type.multinomial = "grouped"),
  mgaussian = path("mgaussian"), mgaussian_mixed = path("mgaussian", alpha = 0.3)
)

# Proportional odds: coefficients, then thresholds, of polr.
level <- factor(drop(read("y_ordinal")), ordered = TRUE)
d <- data.frame(level, read("x_ordinal"), w = drop(read("w_ordinal")), o = drop(read("o_ordinal")))
tight <- list(reltol = 1e-16, maxit = 10000)
told <- function(fit) array(c(fit$coefficients, fit$zeta, fit$deviance))
odds <- c(plain = told(polr(level ~ X1 + X2 + X3 + X4 + X5 + X6, data = d, control = tight)),
          weighted = told(polr(level ~ X1 + X2 + X3 + X4 + X5 + X6 + offset(o), data = d, weights = w, control = tight)))

object <- function(values) paste0("{", paste0('"', names(values), '": ', values, collapse = ",\n  "), "}")
out <- c(
  versions = paste0('["', R.version.string, '", "glmnet ', packageVersion("glmnet"), '", "MASS ', packageVersion("MASS"), '"]'),
  checksum = readLines("checksum.txt", warn = FALSE), sapply(figures, object), polr = object(odds))
writeLines(paste0("{\n", paste0('"', names(out), '": ', out, collapse = ",\n"), "\n}"), file.path(here, "figures.json"))
