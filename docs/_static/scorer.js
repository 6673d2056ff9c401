/* The search ranks pages that a person wrote above the generated reference. */
var Scorer = {
  score: (result) => {
    const [docname, , , , score] = result;
    if (/(^|\/)generated\//.test(docname)) return score - 12;
    if (docname === "reference/words") return score + 4;
    return /^(howto|tutorials|faq)/.test(docname) ? score + 6 : score;
  },
  objNameMatch: 11, objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
